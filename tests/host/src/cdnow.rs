//! The CDNOW sample: 6,919 purchases of 2,357 customers of an online record shop, 1997 to mid-1998.
//!
//! Real orders, published for research by Fader and Hardie: what the demo shows and the tests count.

use anyhow::{Context as _, Result};

/// One purchase: a line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchase {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// The customer, as written.
    pub customer: String,
    /// The day, `1997-01-01`.
    pub date: String,
    /// How many disks.
    pub quantity: u32,
    /// What was paid, in US dollars, exactly as written: `29.33`.
    pub value: String,
}

/// Reads the sample: customer, customer in the sample, date, quantity, dollars.
pub fn parse(text: &str) -> Result<Vec<Purchase>> {
    text.lines()
        .enumerate()
        .map(|(index, line)| {
            parse_line(index + 1, line).with_context(|| format!("line {} is no purchase: {line:?}", index + 1))
        })
        .collect()
}

fn parse_line(number: usize, line: &str) -> Option<Purchase> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[customer, _, date, quantity, value] = fields.as_slice() else {
        return None;
    };
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_money = |text: &str| {
        text.split_once('.').is_some_and(|(whole, cents)| {
            cents.len() == 2
                && [whole, cents].iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        })
    };
    Some(Purchase {
        line: number,
        customer: customer.to_owned(),
        date: format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]),
        quantity: quantity.parse().ok()?,
        value: Some(value).filter(|value| is_money(value))?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_line() {
        let purchases = parse(" 00004 0001 19970101  2   29.33\n").unwrap();
        let expected = Purchase {
            line: 1,
            customer: "00004".to_owned(),
            date: "1997-01-01".to_owned(),
            quantity: 2,
            value: "29.33".to_owned(),
        };
        assert_eq!(purchases, [expected]);
    }

    #[test]
    fn refuses_what_is_no_purchase() {
        for line in
            ["", "1 2 3", "00004 0001 1997-1-1 2 29.33", "00004 0001 19970101 2 29.3", "00004 0001 19970101 x 29.33"]
        {
            assert!(parse(&format!("{line}\n")).is_err(), "{line:?}");
        }
    }

    #[test]
    fn the_sample_is_whole() {
        let purchases = parse(include_str!("../../data/cdnow_sample.txt")).unwrap();
        assert_eq!(purchases.len(), 6919);
        let cents: u64 = purchases.iter().map(|purchase| purchase.value.replace('.', "").parse::<u64>().unwrap()).sum();
        assert_eq!(cents, 24_409_194);
    }
}
