//! A race: contestants take turns, round by round, so that whatever else the machine does meets all of them alike. What is
//! told are the ratios within each round.

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use tally_host::progress::say;

use crate::cpu::Usage;
use crate::data::{Batch, Shape, Supply};
use crate::ground::Arena;
use crate::statistics::Summary;
use crate::turn::{self, Outcome};
use crate::writer::{Expected, Parcel, Way, Writer};

/// How long everything is to take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    /// About how long a turn of the first of a group takes.
    pub(crate) seconds: f64,
}

/// Contestants that write the same events, one after the other.
pub(crate) struct Group<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) supply: Supply,
    pub(crate) shape: Shape,
    /// Events a batch.
    pub(crate) batch: usize,
    pub(crate) contestants: Vec<(String, Way)>,
}

/// What the turns of all rounds came to, by contestant.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) names: Vec<String>,
    rounds: Vec<Vec<Outcome>>,
}

/// A group that is ready to start.
struct Ready<'a> {
    group: Group<'a>,
    writers: Vec<Vec<Writer>>,
    /// Batches a turn.
    batches: usize,
    /// Rows a turn for those who write them one by one: fewer, as it takes them longer.
    single_rows: usize,
}

/// Runs the race, each contestant with so many clients.
pub(crate) async fn run(groups: Vec<Group<'_>>, clients: usize, pace: Pace) -> Result<Series> {
    let mut ready = Vec::new();
    for group in groups {
        ready.push(Ready::new(group, clients, pace.seconds).await?);
    }
    let names = ready.iter().flat_map(|ready| ready.group.contestants.iter().map(|(name, _)| name.clone())).collect();
    let mut rounds = Vec::new();
    for _ in 0..pace.rounds {
        let mut round = Vec::new();
        for ready in &mut ready {
            round.extend(ready.turns().await?);
        }
        rounds.push(round);
    }
    Ok(Series::new(names, rounds))
}

impl<'a> Ready<'a> {
    /// Connects the clients, and finds out in a turn that does not count how much work fills the time.
    async fn new(group: Group<'a>, clients: usize, seconds: f64) -> Result<Self> {
        let (base_url, database_url) = (group.arena.base_url(), &group.arena.database_url);
        let connect = |way| try_join_all((0..clients).map(|_| Writer::new(way, &base_url, database_url)));
        let writers = try_join_all(group.contestants.iter().map(|(_, way)| connect(*way))).await?;
        let batches = clients * (100 / group.batch).max(2);
        let mut ready = Self { group, writers, batches, single_rows: 20 * clients };
        let first = ready.turns().await?;
        let rows = |outcome: &Outcome| outcome.rate() * seconds;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of rows")]
        let fill = |rows: f64, unit: usize| (rows as usize).div_ceil(unit * clients).max(2) * clients;
        ready.batches = first.first().map_or(batches, |outcome| fill(rows(outcome), ready.group.batch));
        for (outcome, (_, way)) in first.iter().zip(&ready.group.contestants) {
            if *way == Way::Insert {
                ready.single_rows = fill(rows(outcome), 1);
            }
        }
        Ok(ready)
    }

    /// One turn of each contestant.
    async fn turns(&mut self) -> Result<Vec<Outcome>> {
        let Self { group, writers, batches, single_rows } = self;
        let events: Vec<Batch> = (0..*batches).map(|_| group.supply.batch(group.shape, group.batch)).collect();
        let mut outcomes = Vec::new();
        for ((name, way), writers) in group.contestants.iter().zip(writers) {
            let parcels: Vec<Parcel> = match way {
                Way::Insert => {
                    singly(&events, *single_rows, writers.len()).iter().map(|batch| way.pack(batch)).collect()
                }
                Way::Http(Expected::Replaced) => {
                    events.iter().map(|batch| way.pack(&group.supply.changed(batch))).collect()
                }
                _ => events.iter().map(|batch| way.pack(batch)).collect(),
            };
            let outcome = turn::take(writers, &parcels, group.arena.processes).await;
            outcomes.push(outcome.with_context(|| format!("{name}; the host wrote: {}", group.arena.log_tail()))?);
        }
        Ok(outcomes)
    }
}

/// The first rows of the batches, in pieces that are small enough for all clients to end at about the same time.
fn singly(batches: &[Batch], rows: usize, clients: usize) -> Vec<Batch> {
    let piece = (rows / (8 * clients)).max(1);
    let mut pieces = Vec::new();
    let mut left = rows;
    for batch in batches {
        let events = &batch.events[..left.min(batch.events.len())];
        left -= events.len();
        let own = |events: &[_]| Batch { events: events.to_vec(), api_key: batch.api_key.clone() };
        pieces.extend(events.chunks(piece).map(own));
    }
    pieces
}

/// Processor time of a contestant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Microseconds a row.
    pub(crate) row: Usage,
    /// How many processors were busy.
    pub(crate) busy: f64,
}

impl Series {
    /// The turns of all rounds, each round's in the order of the contestants.
    pub(crate) fn new(names: Vec<String>, rounds: Vec<Vec<Outcome>>) -> Self {
        Self { names, rounds }
    }

    /// A contestant's turns.
    fn of(&self, contestant: usize) -> impl Iterator<Item = &Outcome> {
        self.rounds.iter().filter_map(move |round| round.get(contestant))
    }

    /// Rows a second.
    pub(crate) fn rate(&self, contestant: usize) -> Option<Summary> {
        Summary::of(self.of(contestant).map(Outcome::rate))
    }

    /// How long each of so many clients waits for a row, milliseconds.
    pub(crate) fn latency(&self, contestant: usize, clients: usize) -> Option<Summary> {
        Summary::of(self.of(contestant).map(|outcome| 1e3 * clients as f64 / outcome.rate()))
    }

    /// The rate of one over that of the other, round by round.
    pub(crate) fn ratio(&self, contestant: usize, other: usize) -> Option<Summary> {
        Summary::of(self.of(contestant).zip(self.of(other)).map(|(one, other)| one.rate() / other.rate()))
    }

    /// Where the processor time of a contestant went.
    pub(crate) fn share(&self, contestant: usize) -> Option<Share> {
        let (mut usage, mut rows, mut seconds) = (Usage::default(), 0, 0.0);
        for outcome in self.of(contestant) {
            usage += outcome.usage?;
            rows += outcome.rows;
            seconds += outcome.seconds;
        }
        let micros = |seconds: f64| seconds * 1e6 / rows as f64;
        let row =
            Usage { postgres: micros(usage.postgres), host: micros(usage.host), generator: micros(usage.generator) };
        (rows > 0).then(|| Share { row, busy: usage.total() / seconds })
    }

    /// The processor time a row of the one over that of the other, over all processes: what others do on the machine
    /// changes it little.
    pub(crate) fn work_ratio(&self, contestant: usize, other: usize) -> Option<f64> {
        Some(self.share(contestant)?.row.total() / self.share(other)?.row.total())
    }

    /// Tells on the way what came out.
    pub(crate) fn tell(&self, title: &str) {
        for (index, name) in self.names.iter().enumerate() {
            if let Some(rate) = self.rate(index) {
                say(format!("{title}: {name}: {:.0} rows/s", rate.median));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(rows: usize, seconds: f64) -> Outcome {
        let usage = Some(Usage { postgres: seconds, host: seconds / 2.0, generator: 0.0 });
        Outcome { rows, seconds, usage }
    }

    fn series() -> Series {
        Series {
            names: vec!["a".to_owned(), "b".to_owned()],
            rounds: vec![
                vec![outcome(100, 1.0), outcome(400, 2.0)],
                // The machine was slow: for both.
                vec![outcome(100, 10.0), outcome(400, 10.0)],
                vec![outcome(100, 1.0), outcome(400, 1.0)],
            ],
        }
    }

    #[test]
    fn ratios_are_made_within_each_round() {
        let ratio = series().ratio(0, 1).unwrap();
        assert_eq!(ratio, Summary { median: 0.25, least: 0.25, greatest: 0.5 });
        assert_eq!(series().rate(1).unwrap().median, 200.0);
        assert_eq!(series().rate(2), None);
        assert_eq!(series().latency(0, 4).unwrap(), Summary { median: 40.0, least: 40.0, greatest: 400.0 });
    }

    #[test]
    fn processor_time_is_shared_out_by_row() {
        let share = series().share(0).unwrap();
        assert!((share.row.postgres - 40_000.0).abs() < 1e-6, "{share:?}");
        assert!((share.busy - 1.5).abs() < 1e-9, "{share:?}");
        let ratio = series().work_ratio(0, 1).unwrap();
        assert!((ratio - 40.0 / 10.833_333).abs() < 1e-3, "{ratio}");
    }
}
