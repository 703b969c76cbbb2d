//! A network that fails when it is told to: between a client and a host, or between a host and its database.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

const CHUNK_BYTES: usize = 16 * 1024;

/// What is to go wrong, once, with the connection on which the mark is sent next, be it in a request or in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What comes before the mark gets there; then both ends see the connection end.
    CutBefore(String),
    /// The mark gets there, and no answer comes back, until [`Proxy::cut`].
    KeepAnswer(String),
}

/// Passes bytes on from whoever connects to `address`. Dropping it ends all connections.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    upstream: SocketAddr,
    fault: Mutex<Option<Fault>>,
    cut: watch::Sender<()>,
}

impl Proxy {
    /// A proxy before this address.
    pub(crate) async fn before(upstream: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { upstream, fault: Mutex::default(), cut: watch::Sender::new(()) });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, serving })
    }

    /// Has this go wrong next.
    pub(crate) fn arm(&self, fault: Fault) {
        *self.shared.fault() = Some(fault);
    }

    /// Whether nothing is left to go wrong.
    pub(crate) fn has_failed(&self) -> bool {
        self.shared.fault().is_none()
    }

    /// Ends all connections there are.
    pub(crate) fn cut(&self) {
        self.shared.cut.send_replace(());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
        self.cut();
    }
}

impl Shared {
    fn fault(&self) -> std::sync::MutexGuard<'_, Option<Fault>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault whose mark ends in the new ones of these bytes, and where it begins; it is not to happen again.
    fn met(&self, bytes: &[u8], new_from: usize) -> Option<(Fault, usize)> {
        let mut fault = self.fault();
        let (Fault::CutBefore(mark) | Fault::KeepAnswer(mark)) = fault.as_ref()?;
        let from = (new_from + 1).saturating_sub(mark.len());
        let place = bytes[from..].windows(mark.len()).position(|part| part == mark.as_bytes())?;
        Some((fault.take()?, from + place))
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // An end that goes away is what the other one is to notice.
        tokio::spawn(async move { converse(stream, &shared).await.ok() });
    }
}

async fn converse(client: TcpStream, shared: &Shared) -> Result<()> {
    let mut cut = shared.cut.subscribe();
    let server = TcpStream::connect(shared.upstream).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let keeps_answer = AtomicBool::new(false);
    tokio::select! {
        ended = pass_requests(from_client, to_server, shared, &keeps_answer) => ended,
        ended = pass_answers(from_server, to_client, &keeps_answer) => ended,
        _ = cut.changed() => Ok(()),
    }
}

async fn pass_requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    keeps_answer: &AtomicBool,
) -> Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    // What was passed on last, in which a mark may begin.
    let mut passed = Vec::new();
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        let before = passed.len();
        passed.extend_from_slice(&chunk[..count]);
        match shared.met(&passed, before) {
            Some((Fault::CutBefore(_), place)) => {
                to.write_all(&passed[before..place.max(before)]).await?;
                return Ok(());
            }
            Some((Fault::KeepAnswer(_), _)) => keeps_answer.store(true, Ordering::Relaxed),
            None => {}
        }
        to.write_all(&chunk[..count]).await?;
        passed.drain(..passed.len().saturating_sub(CHUNK_BYTES));
    }
}

async fn pass_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, keeps_answer: &AtomicBool) -> Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        if !keeps_answer.load(Ordering::Relaxed) {
            to.write_all(&chunk[..count]).await?;
        }
    }
}
