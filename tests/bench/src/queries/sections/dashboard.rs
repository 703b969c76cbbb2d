//! Twelve widgets in one request against one of them, and against one after the other.

use anyhow::Result;

use super::name;
use crate::queries::asker::Way;
use crate::queries::place::Place;
use crate::queries::question::{Request, dashboard, widget};
use crate::queries::race::{self, By, Contestant};
use crate::report::{self, Table};
use crate::rounds::{Pace, Series};
use crate::statistics::Summary;

/// What is asked, in this order, of each store in each way.
const ASKED: [&str; 3] = ["one widget", "dashboard", "one after the other"];

/// Measures with one client; answers a section.
pub(crate) async fn measure(places: &[Place<'_>], pace: Pace) -> Result<String> {
    let mut contestants = Vec::new();
    let mut labels = Vec::new();
    for place in places {
        let widgets = dashboard(place)?;
        let requests = [
            vec![Request::new(&widget(place)?)?],
            vec![Request::of_several(&widgets)?],
            widgets.iter().map(Request::new).collect::<Result<Vec<_>>>()?,
        ];
        for way in ["HTTP", "statement"] {
            let label = format!("{way}, {}", name(place));
            for (asked, requests) in ASKED.iter().zip(&requests) {
                let name = format!("{label}: {asked}");
                let requests = requests.clone();
                let way = if way == "HTTP" { Way::Http(requests) } else { Way::Statement(requests) };
                contestants.push(Contestant { name, place, by: By::Us(way) });
            }
            labels.push((label, widgets.len()));
        }
    }
    Ok(section(&labels, &race::run(contestants, 1, pace).await?))
}

fn section(labels: &[(String, usize)], series: &Series) -> String {
    let mut ratios = Table::new(&["time of 12 widgets at once", "against one", "against the mean of the 12 alone"]);
    let mut times = Table::new(&["milliseconds", "one widget", "12 at once", "12 one after the other"]);
    for (index, (label, widgets)) in labels.iter().enumerate() {
        let first = ASKED.len() * index;
        let mean = series.ratio(first + 2, first + 1).map(|summary| times_of(summary, *widgets as f64));
        ratios.row(&[label, &report::ratio(series.ratio(first, first + 1)), &report::ratio(mean)]);
        let time = |asked: usize| report::ratio(series.latency(first + asked, 1));
        times.row(&[label, &time(0), &time(1), &time(2)]);
    }
    format!(
        "### A dashboard\n\nThe aim: 12 widgets in one request take less than three times as long as one. With 1 client.\n\n{}\n{}",
        ratios.into_text(),
        times.into_text()
    )
}

fn times_of(Summary { median, least, greatest }: Summary, factor: f64) -> Summary {
    Summary { median: median * factor, least: least * factor, greatest: greatest * factor }
}
