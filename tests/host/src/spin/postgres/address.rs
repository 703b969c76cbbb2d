//! Whether a component may connect to the address of a connection string.

use std::net::IpAddr;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::wit::Error;
use crate::spin::instance::InstanceHosts;

/// Fails unless every server that `address` names is allowed.
///
/// Stricter than Spin in one thing: `hostaddr` is checked too. Spin looks at `host` alone, so that a connection string
/// with a `hostaddr` reaches any server.
pub(super) fn check(address: &str, hosts: &InstanceHosts) -> Result<(), Error> {
    let config: Config =
        address.parse().map_err(|error: tokio_postgres::Error| Error::ConnectionFailed(error.to_string()))?;
    let allowed = hosts.resolve().map_err(Error::Other)?;
    for server in servers(&config)? {
        if !allowed.allows(&server, "postgres") {
            return Err(Error::ConnectionFailed(format!("address postgres://{server} is not permitted")));
        }
    }
    Ok(())
}

fn servers(config: &Config) -> Result<Vec<String>, Error> {
    let mut servers = Vec::new();
    for (index, host) in config.get_hosts().iter().enumerate() {
        match host {
            Host::Tcp(name) => servers.push(with_port(name, config, index)),
            #[cfg(unix)]
            Host::Unix(_) => {
                return Err(Error::ConnectionFailed("Unix sockets are not supported on WebAssembly".to_owned()));
            }
        }
    }
    for (index, host) in config.get_hostaddrs().iter().enumerate() {
        let name = match host {
            IpAddr::V4(host) => host.to_string(),
            IpAddr::V6(host) => format!("[{host}]"),
        };
        servers.push(with_port(&name, config, index));
    }
    Ok(servers)
}

fn with_port(host: &str, config: &Config, index: usize) -> String {
    let port = match config.get_ports() {
        [port] => Some(port),
        ports => ports.get(index),
    };
    match port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
