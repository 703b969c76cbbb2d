//! The provider's keys as an instance keeps them: how long they are good, when to ask again, and one question for all.
//!
//! Time and the way to the provider are given by the caller, so that everything here is tested natively.

use super::key_set::KeySet;
use super::unverified::UnverifiedToken;
use crate::problem::{Kind, Problem};
use futures::channel::oneshot;
use http::{HeaderMap, header};
use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long keys are good where the provider does not say.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Whatever the provider says, keys are good for so long: the least, so that it is not asked with every request; the most,
/// so that a key it withdrew is not trusted for long.
const MIN_FRESH: Duration = Duration::from_secs(60);
const MAX_FRESH: Duration = Duration::from_secs(60 * 60);
/// While the provider cannot be reached, its last keys serve on for so long.
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How often tokens with unknown keys, which anybody can make up, may have the provider asked.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);
/// How long a provider that failed is left alone: while there are keys, and while there are none.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);
const FIRST_FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// What the provider answered.
#[derive(Debug)]
pub struct Fetched {
    /// Its keys.
    pub keys: KeySet,
    /// How long they are good, see [`fresh_for`].
    pub fresh_for: Duration,
}

/// Why a fetch failed, for everybody who waited for it.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// The keys at one URL.
#[derive(Default)]
pub struct KeyStore {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    failed: Option<(Instant, Cause)>,
    asked_for_unknown: Option<Instant>,
    /// A fetch is under way: who waits for its end.
    waiting: Option<Vec<oneshot::Sender<()>>>,
}

struct Held {
    keys: Rc<KeySet>,
    fetched: Instant,
    fresh_for: Duration,
}

/// There is no telling whether a token is good.
#[derive(Debug, thiserror::Error)]
#[error("the key set cannot be fetched")]
struct Unavailable(#[source] Cause);

enum Step {
    Done(Result<Rc<KeySet>, Unavailable>),
    Wait(oneshot::Receiver<()>),
    Fetch,
}

impl KeyStore {
    /// The keys to judge the token by: those at hand, or new ones by `fetch` where they are too old, or lack the
    /// token's. Of requests that want new ones at the same time, one fetches and the others wait for it.
    pub async fn keys_for<F>(
        &self,
        token: &UnverifiedToken<'_>,
        now: impl Fn() -> Instant,
        fetch: F,
    ) -> Result<Rc<KeySet>, Problem>
    where
        F: AsyncFn() -> Result<Fetched, Cause>,
    {
        let mut has_asked = false;
        loop {
            let step = self.state.borrow_mut().step(token, now(), has_asked);
            has_asked = match step {
                Step::Done(keys) => return keys.map_err(|error| Problem::ours(Kind::KeysUnavailable, error)),
                // If whoever fetched gave up half way, somebody else must.
                Step::Wait(ended) => ended.await.is_ok(),
                Step::Fetch => {
                    let turn = Turn(&self.state);
                    let fetched = fetch().await;
                    turn.0.borrow_mut().take(fetched, now());
                    true
                }
            };
        }
    }
}

/// One fetch. When it goes, however it ended, those who wait go on: told so if it came to its end, and else to try anew.
struct Turn<'a>(&'a RefCell<State>);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().waiting = None;
    }
}

impl State {
    /// What to do for a token. Who has seen a fetch end in this request asks for no other.
    fn step(&mut self, token: &UnverifiedToken<'_>, now: Instant, has_asked: bool) -> Step {
        let held = self.held.as_ref().filter(|held| now.saturating_duration_since(held.fetched) < MAX_STALE);
        let knows = held.is_some_and(|held| held.keys.knows(token));
        let is_good = knows && held.is_some_and(|held| held.is_fresh(now));
        if !has_asked && !is_good {
            if let Some(waiting) = &mut self.waiting {
                let (sender, ended) = oneshot::channel();
                waiting.push(sender);
                return Step::Wait(ended);
            }
            if self.is_due(held, now) {
                self.waiting = Some(Vec::new());
                return Step::Fetch;
            }
        }
        match (held, &self.failed) {
            // Had the provider answered, the key might be there: nobody is told that their token is bad.
            (_, Some((_, cause))) if !knows => Step::Done(Err(Unavailable(Arc::clone(cause)))),
            (Some(held), _) => Step::Done(Ok(Rc::clone(&held.keys))),
            (None, _) => Step::Done(Ok(Rc::default())),
        }
    }

    /// Whether it is time to ask again, for a token whose key is not among the held ones, or because they are old.
    fn is_due(&self, held: Option<&Held>, now: Instant) -> bool {
        let has_passed =
            |since: Option<Instant>, pause| since.is_none_or(|since| now.saturating_duration_since(since) >= pause);
        let failed = self.failed.as_ref().map(|(at, _)| *at);
        match held {
            None => has_passed(failed, FIRST_FAILURE_PAUSE),
            Some(held) if held.is_fresh(now) => {
                has_passed(failed, FAILURE_PAUSE) && has_passed(self.asked_for_unknown, UNKNOWN_KEY_PAUSE)
            }
            Some(_) => has_passed(failed, FAILURE_PAUSE),
        }
    }

    fn take(&mut self, fetched: Result<Fetched, Cause>, now: Instant) {
        match fetched {
            Ok(Fetched { keys, fresh_for }) => {
                if self.held.as_ref().is_some_and(|held| held.is_fresh(now)) {
                    self.asked_for_unknown = Some(now);
                }
                self.held = Some(Held { keys: Rc::new(keys), fetched: now, fresh_for });
                self.failed = None;
            }
            Err(cause) => self.failed = Some((now, cause)),
        }
        for waiter in self.waiting.take().into_iter().flatten() {
            // Who gave up meanwhile needs no word.
            let _gone = waiter.send(());
        }
    }
}

impl Held {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.fetched) < self.fresh_for
    }
}

/// How long an answer with these headers is good: `max-age` (RFC 9111, 5.2.2.1), within bounds.
pub fn fresh_for(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|directive| directive.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return MIN_FRESH;
    }
    let seconds = directives.iter().find_map(|directive| directive.strip_prefix("max-age="));
    match seconds.map(|seconds| seconds.trim_matches('"')) {
        Some(seconds) if !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit()) => {
            // RFC 9111, 1.2.2: a number too large to hold is a very long time.
            Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)).clamp(MIN_FRESH, MAX_FRESH)
        }
        _ => FRESH,
    }
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{ED25519_JWK, P256_JWK, jwk_with, token_of};
    use super::*;
    use futures::executor::LocalPool;
    use futures::task::LocalSpawnExt as _;
    use serde_json::{Value, json};
    use std::cell::Cell;

    const HOUR: Duration = Duration::from_secs(3_600);

    /// A provider with the keys of these ids, which counts how often it is asked; and a clock.
    struct World {
        store: KeyStore,
        ids: RefCell<Vec<&'static str>>,
        is_away: Cell<bool>,
        asked: Cell<u32>,
        start: Instant,
        elapsed: Cell<Duration>,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("away")]
    struct Away;

    impl World {
        fn new(ids: &[&'static str]) -> Self {
            Self {
                store: KeyStore::default(),
                ids: RefCell::new(ids.to_vec()),
                is_away: Cell::new(false),
                asked: Cell::new(0),
                start: Instant::now(),
                elapsed: Cell::default(),
            }
        }

        fn pass(&self, time: Duration) {
            self.elapsed.set(self.elapsed.get() + time);
        }

        async fn fetch(&self) -> Result<Fetched, Cause> {
            self.asked.set(self.asked.get() + 1);
            // Others have their turn meanwhile.
            futures::pending!();
            if self.is_away.get() {
                return Err(Arc::new(Away));
            }
            let keys: Vec<Value> = self.ids.borrow().iter().map(|id| jwk_with(P256_JWK, json!({"kid": id}))).collect();
            Ok(Fetched { keys: KeySet::read(json!({"keys": keys}).to_string().as_bytes()).unwrap(), fresh_for: FRESH })
        }

        /// Whether the key `id` is found for a token that names it; `None` where there is no telling.
        async fn finds(&self, id: &str) -> Option<bool> {
            let text = token_of(&json!({"alg": "ES256", "kid": id}));
            let token = UnverifiedToken::read(&text).unwrap();
            let now = || self.start + self.elapsed.get();
            let fetch = async || wake(self.fetch()).await;
            match self.store.keys_for(&token, now, fetch).await {
                Ok(keys) => Some(keys.knows(&token)),
                Err(problem) => {
                    assert_eq!(problem.kind(), Kind::KeysUnavailable);
                    None
                }
            }
        }

        fn find(&self, id: &str) -> (Option<bool>, u32) {
            let found = LocalPool::new().run_until(self.finds(id));
            (found, self.asked.get())
        }
    }

    /// Polls until it is done.
    async fn wake<T>(work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            work.as_mut().poll(context)
        })
        .await
    }

    #[test]
    fn keys_are_fetched_once_while_they_are_fresh() {
        let world = World::new(&["a"]);
        assert_eq!(world.find("a"), (Some(true), 1));
        world.pass(FRESH - Duration::from_secs(1));
        assert_eq!(world.find("a"), (Some(true), 1));
        world.pass(Duration::from_secs(1));
        assert_eq!(world.find("a"), (Some(true), 2));
        assert_eq!(world.find("a"), (Some(true), 2));
    }

    #[test]
    fn a_key_that_was_withdrawn_is_not_found_any_more() {
        let world = World::new(&["a", "b"]);
        assert_eq!(world.find("a"), (Some(true), 1));
        *world.ids.borrow_mut() = vec!["b"];
        world.pass(FRESH);
        assert_eq!(world.find("a"), (Some(false), 2));
    }

    #[test]
    fn an_unknown_key_is_asked_for_once_in_a_while() {
        let world = World::new(&["a"]);
        assert_eq!(world.find("a"), (Some(true), 1));
        *world.ids.borrow_mut() = vec!["a", "b"];
        assert_eq!(world.find("b"), (Some(true), 2));
        *world.ids.borrow_mut() = vec!["a", "b", "c"];
        world.pass(UNKNOWN_KEY_PAUSE - Duration::from_secs(1));
        assert_eq!(world.find("c"), (Some(false), 2));
        assert_eq!(world.find("b"), (Some(true), 2));
        world.pass(Duration::from_secs(1));
        assert_eq!(world.find("c"), (Some(true), 3));
    }

    #[test]
    fn one_request_asks_no_more_than_once() {
        let world = World::new(&["a"]);
        assert_eq!(world.find("b"), (Some(false), 1));
        world.pass(FRESH);
        assert_eq!(world.find("b"), (Some(false), 2));
    }

    #[test]
    fn without_any_keys_there_is_no_telling() {
        let world = World::new(&["a"]);
        world.is_away.set(true);
        assert_eq!(world.find("a"), (None, 1));
        assert_eq!(world.find("a"), (None, 1));
        world.pass(FIRST_FAILURE_PAUSE);
        assert_eq!(world.find("a"), (None, 2));
        world.is_away.set(false);
        world.pass(FIRST_FAILURE_PAUSE);
        assert_eq!(world.find("a"), (Some(true), 3));
    }

    #[test]
    fn old_keys_serve_on_while_the_provider_is_away() {
        let world = World::new(&["a"]);
        assert_eq!(world.find("a"), (Some(true), 1));
        world.is_away.set(true);
        world.pass(FRESH);
        assert_eq!(world.find("a"), (Some(true), 2));
        assert_eq!(world.find("a"), (Some(true), 2));
        assert_eq!(world.find("b"), (None, 2));
        world.pass(FAILURE_PAUSE);
        assert_eq!(world.find("a"), (Some(true), 3));
        world.pass(23 * HOUR);
        assert_eq!(world.find("a"), (Some(true), 4));
        world.pass(HOUR);
        assert_eq!(world.find("a"), (None, 5));
        world.is_away.set(false);
        world.pass(FIRST_FAILURE_PAUSE);
        assert_eq!(world.find("a"), (Some(true), 6));
        assert_eq!(world.find("b"), (Some(false), 7));
    }

    #[test]
    fn nobody_is_refused_for_a_key_that_could_not_be_asked_for() {
        let world = World::new(&["a"]);
        assert_eq!(world.find("a"), (Some(true), 1));
        world.is_away.set(true);
        assert_eq!(world.find("b"), (None, 2));
        world.is_away.set(false);
        assert_eq!(world.find("b"), (None, 2));
        assert_eq!(world.find("a"), (Some(true), 2));
        world.pass(FAILURE_PAUSE);
        assert_eq!(world.find("b"), (Some(false), 3));
    }

    /// The answers to requests that are made at the same time.
    fn at_once(world: &Rc<World>, ids: &[&'static str]) -> Vec<Option<bool>> {
        let mut pool = LocalPool::new();
        let spawner = pool.spawner();
        let finding: Vec<_> = ids
            .iter()
            .map(|&id| {
                let world = Rc::clone(world);
                spawner.spawn_local_with_handle(async move { world.finds(id).await }).unwrap()
            })
            .collect();
        pool.run_until(futures::future::join_all(finding))
    }

    #[test]
    fn requests_at_the_same_time_share_a_fetch() {
        let world = Rc::new(World::new(&["a", "b"]));
        assert_eq!(at_once(&world, &["a", "b", "c", "a"]), [Some(true), Some(true), Some(false), Some(true)]);
        assert_eq!(world.asked.get(), 1);
        // Also one for an unknown key, behind which the others must not be refused.
        *world.ids.borrow_mut() = vec!["a", "d"];
        assert_eq!(at_once(&world, &["d", "d", "a"]), [Some(true), Some(true), Some(true)]);
        assert_eq!(world.asked.get(), 2);
        world.pass(FRESH);
        world.is_away.set(true);
        assert_eq!(at_once(&world, &["a", "x", "d"]), [Some(true), None, Some(true)]);
        assert_eq!(world.asked.get(), 3);
    }

    #[test]
    fn whoever_waits_for_a_fetch_that_is_given_up_makes_one() {
        let world = Rc::new(World::new(&["a"]));
        let mut pool = LocalPool::new();
        let spawner = pool.spawner();
        let never = Rc::clone(&world);
        let first = spawner.spawn_local_with_handle(async move {
            let text = token_of(&json!({"alg": "ES256", "kid": "a"}));
            let token = UnverifiedToken::read(&text).unwrap();
            let fetch = async || std::future::pending().await;
            never.store.keys_for(&token, Instant::now, fetch).await.is_ok()
        });
        pool.run_until_stalled();
        let waiting = Rc::clone(&world);
        let second = spawner.spawn_local_with_handle(async move { waiting.finds("a").await }).unwrap();
        pool.run_until_stalled();
        assert_eq!(world.asked.get(), 0);
        drop(first);
        assert_eq!(pool.run_until(second), Some(true));
        assert_eq!(world.asked.get(), 1);
    }

    #[test]
    fn a_key_without_an_id_is_found_too() {
        let store = KeyStore::default();
        let text = token_of(&json!({"alg": "EdDSA"}));
        let token = UnverifiedToken::read(&text).unwrap();
        let fetch = async || {
            let document = json!({"keys": [jwk_with(ED25519_JWK, json!({}))]}).to_string();
            Ok(Fetched { keys: KeySet::read(document.as_bytes()).unwrap(), fresh_for: FRESH })
        };
        let found = LocalPool::new().run_until(store.keys_for(&token, Instant::now, fetch)).unwrap();
        assert!(found.knows(&token));
    }

    #[test]
    fn the_provider_says_how_long_within_bounds() {
        for (values, seconds) in [
            (&[][..], 600),
            (&["public, max-age=900"], 900),
            (&["MAX-AGE=900"], 900),
            (&["public", "max-age=\"120\""], 120),
            (&["max-age=0"], 60),
            (&["max-age=1"], 60),
            (&["max-age=86400"], 3_600),
            (&["max-age=99999999999999999999999"], 3_600),
            (&["no-store"], 60),
            (&["max-age=900, no-cache"], 60),
            (&["s-maxage=900"], 600),
            (&["max-age="], 600),
            (&["max-age=-5"], 600),
            (&["max-age=9m"], 600),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CACHE_CONTROL, value.parse().unwrap());
            }
            assert_eq!(fresh_for(&headers), Duration::from_secs(seconds), "{values:?}");
        }
    }
}
