//! Formulas: `+`, `-`, `*`, `/`, parentheses, decimals and the keys of metrics.

use super::number::Decimal;

/// The value of a formula, given those of its metrics; none if one that it needs has none, or over zero.
pub(super) fn evaluate(text: &str, value: &impl Fn(&str) -> Option<Decimal>) -> Option<Decimal> {
    let mut reader = Reader { tokens: tokens(text), next: 0, value };
    let result = reader.sum();
    assert_eq!(reader.next, reader.tokens.len(), "{text}");
    result
}

fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
        let length = if is_word(first) { rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()) } else { 1 };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

struct Reader<'a, F> {
    tokens: Vec<&'a str>,
    next: usize,
    value: &'a F,
}

impl<F: Fn(&str) -> Option<Decimal>> Reader<'_, F> {
    fn one_of(&mut self, operators: &[&str]) -> Option<String> {
        let token = self.tokens.get(self.next).filter(|token| operators.contains(token))?;
        self.next += 1;
        Some((*token).to_owned())
    }

    fn sum(&mut self) -> Option<Decimal> {
        let mut result = self.product();
        while let Some(operator) = self.one_of(&["+", "-"]) {
            let right = self.product();
            result = result
                .zip(right)
                .map(|(left, right)| if operator == "+" { left.plus(&right) } else { left.minus(&right) });
        }
        result
    }

    fn product(&mut self) -> Option<Decimal> {
        let mut result = self.operand();
        while let Some(operator) = self.one_of(&["*", "/"]) {
            let right = self.operand();
            result = result.zip(right).and_then(|(left, right)| {
                if operator == "*" { Some(left.times(&right)) } else { left.over(&right, 12) }
            });
        }
        result
    }

    fn operand(&mut self) -> Option<Decimal> {
        if self.one_of(&["("]).is_some() {
            let result = self.sum();
            assert!(self.one_of(&[")"]).is_some());
            return result;
        }
        let token = self.tokens[self.next];
        self.next += 1;
        Decimal::parse(token).or_else(|| (self.value)(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_worked_out_from_left_to_right_and_round_each_division() {
        let value = |key: &str| {
            Decimal::parse(match key {
                "a" => "10.50",
                "b" => "4",
                "zero" => "0.00",
                _ => "",
            })
        };
        for (text, result) in [
            ("a - b - 1", Some("5.50")),
            ("a - (b - 1)", Some("7.50")),
            ("a + b * 2", Some("18.50")),
            ("(a+b)*2", Some("29.00")),
            ("b / 3 * 3", Some("3.999999999999")),
            ("24 / b / 2", Some("3.000000000000")),
            ("a / zero", None),
            ("a * nothing", None),
            ("zero / a", Some("0.000000000000")),
        ] {
            assert_eq!(evaluate(text, &value).map(|value| value.to_string()).as_deref(), result, "{text}");
        }
    }
}
