//! The same question in other forms: as parameters of a URL, and answered as CSV.

use serde_json::{Map, Value};

/// A question as the parameters of `GET /v1/query`.
pub(super) fn parameters(question: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let plain = |value: &Value| match value.as_array() {
        Some(values) => values.iter().map(text).collect::<Vec<_>>().join(","),
        None => text(value),
    };
    question.as_object().unwrap().iter().map(|(field, value)| (field.clone(), plain(value))).collect()
}

/// An answer as a table, with its header.
pub(super) fn table(group_by: &[&str], answer: &Value) -> Vec<Vec<String>> {
    let is_compared = answer["meta"]["compared"].is_object();
    let columns = ["metric", "unit", "currency"].into_iter().chain(group_by.iter().copied());
    let mut header: Vec<&str> = columns.chain(["other", "start", "value"]).collect();
    if is_compared {
        header.extend(["comparison_start", "comparison_value", "difference", "change"]);
    }
    let mut rows = vec![header.into_iter().map(str::to_owned).collect()];
    for series in answer["series"].as_array().unwrap() {
        let name: Vec<String> = ["metric", "unit", "currency"]
            .into_iter()
            .map(|field| cell(&series[field]))
            .chain(group_by.iter().map(|dimension| cell(&series["group"][dimension])))
            .chain([series["other"].as_bool().unwrap_or(false).to_string()])
            .collect();
        rows.extend(points(series, is_compared).into_iter().map(|point| [name.clone(), point].concat()));
    }
    rows
}

/// The points of a series, and at last those of the range compared with that have no counterpart.
fn points(series: &Value, is_compared: bool) -> Vec<Vec<String>> {
    let none = Vec::new();
    let compared = series["comparison"]["points"].as_array().unwrap_or(&none);
    let fields = |point: &Value, fields: &[&str]| fields.iter().map(|field| cell(&point[field])).collect::<Vec<_>>();
    let with = |point: &Value, other: &Value| {
        let mut row = fields(point, &["start", "value"]);
        if is_compared {
            row.extend(fields(other, &["start", "value", "difference", "change"]));
        }
        row
    };
    let nothing = Value::Object(Map::new());
    let points = series["points"].as_array().unwrap();
    let counterpart = |index: usize| compared.iter().find(|other| other["index"] == index).unwrap_or(&nothing);
    let mut rows: Vec<_> = points.iter().enumerate().map(|(index, point)| with(point, counterpart(index))).collect();
    rows.extend(compared.iter().filter(|other| other["index"].is_null()).map(|other| with(&nothing, other)));
    rows
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// Reads CSV as RFC 4180 has it, each line with its end.
pub(super) fn read_csv(text: &str) -> Option<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut row = Vec::new();
        loop {
            let (field, after) = read_field(rest)?;
            row.push(field);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => {
                    rest = after.strip_prefix("\r\n")?;
                    break;
                }
            }
        }
        rows.push(row);
    }
    Some(rows)
}

fn read_field(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\r']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut field = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                field.push('"');
                rest = next;
            }
            None => return Some((field, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_commas_and_lines_are_read() {
        let rows = read_csv("a,\"b,\"\"c\"\"\r\n\",\r\n,,\r\n").unwrap();
        assert_eq!(rows, [["a", "b,\"c\"\r\n", ""], ["", "", ""]]);
        assert_eq!(read_csv("a,b\n"), None);
    }
}
