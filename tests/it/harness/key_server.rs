//! Where an identity provider publishes its keys, doing whatever a test wants of it, and counting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const PATH: &str = "/auth/v1/.well-known/jwks.json";

/// What the server does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Sends these bytes after a while, and ends the connection.
    Bytes(String, Duration),
    /// Sends these bytes and then nothing, for ever.
    Stall(String),
    /// Ends the connection.
    HangUp,
}

impl Answer {
    /// A response of this status, with these further headers.
    pub(crate) fn response(status: u16, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"),
            Duration::ZERO,
        )
    }

    /// A key set, as Supabase sends one.
    pub(crate) fn keys(keys: &[Value]) -> Self {
        let headers = "content-type: application/json\r\ncache-control: public, max-age=600\r\n";
        Self::response(200, headers, &json!({"keys": keys}).to_string())
    }

    /// The same later.
    pub(crate) fn after(self, time: Duration) -> Self {
        match self {
            Self::Bytes(bytes, _) => Self::Bytes(bytes, time),
            other => other,
        }
    }
}

/// A server on a loopback port of its own, until it is dropped.
pub(crate) struct KeyServer {
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
    shared: Arc<Mutex<Shared>>,
    serving: JoinHandle<()>,
}

struct Shared {
    answer: Answer,
    asked: Vec<String>,
}

impl KeyServer {
    /// Starts one.
    pub(crate) async fn start(answer: Answer) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let origin = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Mutex::new(Shared { answer, asked: Vec::new() }));
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self { origin, shared, serving })
    }

    /// Where the keys are.
    pub(crate) fn url(&self) -> String {
        format!("{}{PATH}", self.origin)
    }

    /// Answers this from now on.
    pub(crate) fn answer(&self, answer: Answer) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).answer = answer;
    }

    /// The first lines of the requests that came so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        // A client that goes away is none of the server's business.
        tokio::spawn(async move { converse(stream, &shared).await.ok() });
    }
}

async fn converse(mut stream: TcpStream, shared: &Mutex<Shared>) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let answer = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.asked.push(line);
        shared.answer.clone()
    };
    match answer {
        Answer::Bytes(bytes, time) => {
            tokio::time::sleep(time).await;
            stream.write_all(bytes.as_bytes()).await?;
            stream.shutdown().await?;
        }
        Answer::Stall(bytes) => {
            stream.write_all(bytes.as_bytes()).await?;
            std::future::pending::<()>().await;
        }
        Answer::HangUp => {}
    }
    Ok(())
}
