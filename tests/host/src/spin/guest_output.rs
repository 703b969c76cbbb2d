//! Where the lines go that components write to stdout and stderr, and the host's own few about them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::mem;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// How much a component may write at once.
const WRITE_BYTES: usize = 64 * 1024;

/// Where components' output goes.
#[derive(Debug, Clone)]
pub enum GuestOutput {
    /// To the host's stderr.
    Inherit,
    /// Appended to a file.
    File(PathBuf),
    /// Into memory, for tests.
    Capture(Capture),
}

/// Lines kept in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Capture {
    lines: Arc<Mutex<Vec<(String, String)>>>,
}

impl Capture {
    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lock().iter().map(|(_, line)| line.clone()).collect()
    }

    /// The lines so far of one component.
    pub fn lines_of(&self, component: &str) -> Vec<String> {
        let lines = self.lock();
        lines.iter().filter(|(id, _)| id == component).map(|(_, line)| line.clone()).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(String, String)>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The open end of a [`GuestOutput`].
#[derive(Clone)]
pub(super) struct Sink(Arc<Destination>);

enum Destination {
    Inherit,
    File(Mutex<File>),
    Capture(Capture),
}

impl Sink {
    /// Opens the destination.
    pub(super) fn open(output: &GuestOutput) -> Result<Self> {
        let destination = match output {
            GuestOutput::Inherit => Destination::Inherit,
            GuestOutput::Capture(capture) => Destination::Capture(capture.clone()),
            GuestOutput::File(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                Destination::File(Mutex::new(file.with_context(|| format!("cannot open {}", path.display()))?))
            }
        };
        Ok(Self(Arc::new(destination)))
    }

    /// A line of the host about `component`.
    pub(super) fn note(&self, component: &str, line: &str) {
        self.line(component, format!("{component}: {line}").into_bytes());
    }

    fn line(&self, component: &str, mut line: Vec<u8>) {
        // A line that cannot be written is lost: there is nowhere left to say so.
        match &*self.0 {
            Destination::Capture(capture) => {
                let text = String::from_utf8_lossy(&line).into_owned();
                capture.lock().push((component.to_owned(), text));
            }
            Destination::Inherit => {
                line.push(b'\n');
                let _ = io::stderr().lock().write_all(&line);
            }
            Destination::File(file) => {
                line.push(b'\n');
                let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
            }
        }
    }
}

/// One of the two output streams of one instance.
pub(super) struct GuestStream(Arc<Lines>);

struct Lines {
    sink: Sink,
    component: Arc<str>,
    unfinished: Mutex<Vec<u8>>,
}

impl GuestStream {
    /// A stream of an instance of `component`.
    pub(super) fn new(sink: &Sink, component: &Arc<str>) -> Self {
        Self(Arc::new(Lines { sink: sink.clone(), component: Arc::clone(component), unfinished: Mutex::default() }))
    }
}

impl Lines {
    fn write(&self, bytes: &[u8]) {
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.split_last() {
                Some((b'\n', end)) => {
                    unfinished.extend_from_slice(end);
                    self.sink.line(&self.component, mem::take(&mut *unfinished));
                }
                _ => unfinished.extend_from_slice(piece),
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let unfinished = mem::take(self.unfinished.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !unfinished.is_empty() {
            self.sink.line(&self.component, unfinished);
        }
    }
}

impl IsTerminal for GuestStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer(Arc::clone(&self.0)))
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(Writer(Arc::clone(&self.0)))
    }
}

struct Writer(Arc<Lines>);

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.write(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[async_trait]
impl Pollable for Writer {
    async fn ready(&mut self) {}
}

impl OutputStream for Writer {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.write(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}
