//! The identity provider's key set, by HTTP: under a deadline, bounded, and no further than the URL itself.

use super::{log, within};
use crate::access_token::{
    Cause, Fetched, KeySet, KeySetError, KeyStore, MAX_KEY_SET_BYTES, UnverifiedToken, fresh_for,
};
use crate::problem::Problem;
use ::http::{Request, StatusCode, Uri, header};
use bytes::BytesMut;
use http_body_util::BodyExt;
use spin_sdk::http::{EmptyBody, Response, send};
use spin_sdk::wasip3::http::types::ErrorCode;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most that a key set may take to come, so that a slow provider does not hang requests.
const DEADLINE: Duration = Duration::from_secs(2);

thread_local! {
    /// What this instance knows, and from where. Another URL begins anew.
    static KNOWN: RefCell<Option<(Uri, Rc<KeyStore>)>> = const { RefCell::new(None) };
}

/// Why there is no key set.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("no answer within {DEADLINE:?}")]
    Deadline,
    #[error("the request cannot be made")]
    Request(#[source] ::http::Error),
    #[error(
        "the host may not be asked: the variable `jwks_origin` must be the start of `jwks_url`, `kinde_jwks_origin` of `kinde_jwks_url`"
    )]
    Denied(#[source] ErrorCode),
    #[error("the request failed")]
    Transport(#[source] ErrorCode),
    #[error("the answer is {0}, not 200; redirects are not followed")]
    Status(StatusCode),
    #[error("the answer cannot be used")]
    Content(#[source] KeySetError),
}

/// The keys at `url` to judge the token by.
pub(super) async fn keys_for(url: &Uri, token: &UnverifiedToken<'_>) -> Result<Rc<KeySet>, Problem> {
    store(url).keys_for(token, Instant::now, async || fetch_and_tell(url).await).await
}

fn store(url: &Uri) -> Rc<KeyStore> {
    KNOWN.with_borrow_mut(|known| match known {
        Some((known_url, store)) if known_url == url => Rc::clone(store),
        _ => {
            let store = Rc::default();
            *known = Some((url.clone(), Rc::clone(&store)));
            store
        }
    })
}

/// Fetches, and logs what is wrong with it: also where older keys serve on, nobody else would tell.
async fn fetch_and_tell(url: &Uri) -> Result<Fetched, Cause> {
    match within(DEADLINE, fetch(url)).await.unwrap_or(Err(FetchError::Deadline)) {
        Ok(fetched) => {
            let complaints: Vec<String> = fetched.keys.complaints().collect();
            if !complaints.is_empty() {
                log::warning("Some keys of the identity provider are not used", complaints);
            }
            Ok(fetched)
        }
        Err(error) => {
            log::warning("The identity provider's keys cannot be fetched", log::chain(&error));
            Err(Arc::new(error))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the door")]
async fn fetch(url: &Uri) -> Result<Fetched, FetchError> {
    let request = Request::get(url).header(header::ACCEPT, "application/json").body(EmptyBody::new());
    let response = send(request.map_err(FetchError::Request)?).await.map_err(FetchError::from_code)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let fresh_for = fresh_for(response.headers());
    let keys = KeySet::read(&read(response).await?).map_err(FetchError::Content)?;
    Ok(Fetched { keys, fresh_for })
}

/// The body, up to a byte more than is taken.
async fn read(response: Response) -> Result<BytesMut, FetchError> {
    let mut body = response.into_body();
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(FetchError::Transport)?;
        kept.extend_from_slice(&frame.into_data().unwrap_or_default());
        if kept.len() > MAX_KEY_SET_BYTES {
            return Err(FetchError::Content(KeySetError::TooLarge));
        }
    }
    Ok(kept)
}

impl FetchError {
    fn from_code(code: ErrorCode) -> Self {
        match code {
            ErrorCode::HttpRequestDenied => Self::Denied(code),
            code => Self::Transport(code),
        }
    }
}
