//! The functions of `spin:postgres/postgres@4.2.0`.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Destination, FutureReader, HasData, Resource, ResourceTable, StreamProducer, StreamReader, StreamResult,
};

use super::address;
use super::pool::{Connection, Key, Pools};
use super::query::{self, StreamedRows};
use super::tls;
use super::wit::{self, Column, DbValue, Error, ParameterValue, RowSet};
use crate::spin::instance::InstanceHosts;

/// How many connections, and how many builders, an instance may hold.
const TABLE_CAPACITY: usize = 1024;

/// One instance's connections.
pub(crate) struct Postgres {
    pools: Arc<Pools>,
    hosts: InstanceHosts,
    connections: ResourceTable,
    builders: ResourceTable,
}

impl Postgres {
    /// An instance without connections.
    pub(crate) fn new(pools: Arc<Pools>, hosts: InstanceHosts) -> Self {
        let table = || {
            let mut table = ResourceTable::new();
            table.set_max_capacity(TABLE_CAPACITY);
            table
        };
        Self { pools, hosts, connections: table(), builders: table() }
    }

    fn connection(&self, connection: &Resource<wit::Connection>) -> wasmtime::Result<Connection> {
        let key = Resource::<Connection>::new_borrow(connection.rep());
        Ok(self.connections.get(&key)?.clone())
    }

    fn builder(&self, builder: &Resource<wit::ConnectionBuilder>) -> wasmtime::Result<Key> {
        let key = Resource::<Key>::new_borrow(builder.rep());
        Ok(self.builders.get(&key)?.clone())
    }

    fn hold(&mut self, connection: Connection) -> Result<Resource<wit::Connection>, Error> {
        self.connections
            .push(connection)
            .map(|held| Resource::new_own(held.rep()))
            .map_err(|_| Error::ConnectionFailed("too many connections".to_owned()))
    }

    async fn open_key(&mut self, key: Key) -> Result<Resource<wit::Connection>, Error> {
        address::check(&key.address, &self.hosts)?;
        let connection = check_out(&self.pools, key).await?;
        self.hold(connection)
    }
}

async fn check_out(pools: &Pools, key: Key) -> Result<Connection, Error> {
    pools.get(key).await.map_err(|error| Error::ConnectionFailed(format!("{error:?}")))
}

/// Gives the linker an instance's connections.
pub(crate) struct HasPostgres;

impl HasData for HasPostgres {
    type Data<'a> = &'a mut Postgres;
}

impl HasPostgres {
    async fn open_key<T>(accessor: &Accessor<T, Self>, key: Key) -> Result<Resource<wit::Connection>, Error> {
        let (pools, hosts) = accessor.with(|mut access| {
            let postgres = access.get();
            (Arc::clone(&postgres.pools), postgres.hosts.clone())
        });
        address::check(&key.address, &hosts)?;
        let connection = check_out(&pools, key).await?;
        accessor.with(|mut access| access.get().hold(connection))
    }

    fn connection<T>(
        accessor: &Accessor<T, Self>,
        connection: &Resource<wit::Connection>,
    ) -> Result<Connection, Error> {
        accessor.with(|mut access| access.get().connection(connection)).map_err(|_| no_connection())
    }
}

/// The component model hands out only live handles, so that this is a fault of the host.
fn no_connection() -> Error {
    Error::ConnectionFailed("no connection found".to_owned())
}

fn plain(address: String) -> Key {
    Key { address, root_certificate: None }
}

impl wit::Host for Postgres {
    fn convert_error(&mut self, error: Error) -> wasmtime::Result<Error> {
        Ok(error)
    }
}

impl wit::HostConnection for Postgres {
    async fn open(&mut self, address: String) -> Result<Resource<wit::Connection>, Error> {
        self.open_key(plain(address)).await
    }

    async fn query(
        &mut self,
        connection: Resource<wit::Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<RowSet, Error> {
        let connection = self.connection(&connection).map_err(|_| no_connection())?;
        query::query(&connection, &statement, parameters).await
    }

    async fn execute(
        &mut self,
        connection: Resource<wit::Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let connection = self.connection(&connection).map_err(|_| no_connection())?;
        query::execute(&connection, &statement, parameters).await
    }

    async fn drop(&mut self, connection: Resource<wit::Connection>) -> wasmtime::Result<()> {
        self.connections.delete(Resource::<Connection>::new_own(connection.rep()))?;
        Ok(())
    }
}

impl<T: Send> wit::HostConnectionWithStore<T> for HasPostgres {
    async fn open_async(accessor: &Accessor<T, Self>, address: String) -> Result<Resource<wit::Connection>, Error> {
        Self::open_key(accessor, plain(address)).await
    }

    async fn execute_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<wit::Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<u64, Error> {
        let connection = Self::connection(accessor, &connection)?;
        query::execute(&connection, &statement, parameters).await
    }

    async fn query_async(
        accessor: &Accessor<T, Self>,
        connection: Resource<wit::Connection>,
        statement: String,
        parameters: Vec<ParameterValue>,
    ) -> Result<(Vec<Column>, StreamReader<wit::Row>, FutureReader<Result<(), Error>>), Error> {
        let connection = Self::connection(accessor, &connection)?;
        let StreamedRows { columns, rows, outcome } =
            query::query_streamed(&connection, &statement, parameters).await?;
        let (rows, outcome) = accessor
            .with(|mut access| {
                let rows = StreamReader::new(&mut access, Rows(rows))?;
                wasmtime::error::Ok((rows, FutureReader::new(&mut access, outcome)?))
            })
            .map_err(|error| Error::Other(error.to_string()))?;
        Ok((columns, rows, outcome))
    }
}

impl wit::HostConnectionBuilder for Postgres {
    async fn new(&mut self, address: String) -> wasmtime::Result<Resource<wit::ConnectionBuilder>> {
        let held = self.builders.push(plain(address))?;
        Ok(Resource::new_own(held.rep()))
    }

    async fn set_ca_root(
        &mut self,
        builder: Resource<wit::ConnectionBuilder>,
        certificate: String,
    ) -> Result<(), Error> {
        tls::root_certificate(&certificate)
            .map_err(|_| Error::Other("invalid root certificate: invalid root certificate".to_owned()))?;
        let key = Resource::<Key>::new_borrow(builder.rep());
        let key = self.builders.get_mut(&key).map_err(|_| no_builder())?;
        key.root_certificate = Some(certificate);
        Ok(())
    }

    /// Stricter than Spin, which checks the address in `build-async` alone.
    async fn build(&mut self, builder: Resource<wit::ConnectionBuilder>) -> Result<Resource<wit::Connection>, Error> {
        let key = self.builder(&builder).map_err(|_| no_builder())?;
        self.open_key(key).await
    }

    async fn drop(&mut self, builder: Resource<wit::ConnectionBuilder>) -> wasmtime::Result<()> {
        self.builders.delete(Resource::<Key>::new_own(builder.rep()))?;
        Ok(())
    }
}

impl<T: Send> wit::HostConnectionBuilderWithStore<T> for HasPostgres {
    async fn build_async(
        accessor: &Accessor<T, Self>,
        builder: Resource<wit::ConnectionBuilder>,
    ) -> Result<Resource<wit::Connection>, Error> {
        let key = accessor.with(|mut access| access.get().builder(&builder)).map_err(|_| no_builder())?;
        Self::open_key(accessor, key).await
    }
}

fn no_builder() -> Error {
    Error::ConnectionFailed("no builder found".to_owned())
}

/// The rows of a query as a stream of the component model.
struct Rows(mpsc::Receiver<Vec<DbValue>>);

impl<D> StreamProducer<D> for Rows {
    type Item = Vec<DbValue>;
    type Buffer = Option<Vec<DbValue>>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Self::Item, Self::Buffer>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        match self.0.poll_recv(context) {
            Poll::Ready(Some(row)) => {
                destination.set_buffer(Some(row));
                Poll::Ready(Ok(StreamResult::Completed))
            }
            Poll::Ready(None) => Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}
