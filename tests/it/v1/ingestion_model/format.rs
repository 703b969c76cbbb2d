//! The formats of a body.

use super::draft::Sent;
use crate::harness::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    One,
    Array,
    Envelope,
    Lines,
    CloudEvent,
    CloudEvents,
}

impl Format {
    /// One that has room for so many events.
    pub(super) fn any(events: usize, random: &mut Random) -> Self {
        let many = [Self::Array, Self::Envelope, Self::Lines, Self::CloudEvents];
        if events == 1 { *random.pick(&[Self::One, Self::CloudEvent]) } else { *random.pick(&many) }
    }

    pub(super) fn is_cloud(self) -> bool {
        matches!(self, Self::CloudEvent | Self::CloudEvents)
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::One | Self::Array | Self::Envelope => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::CloudEvent => "application/cloudevents+json",
            Self::CloudEvents => "application/cloudevents-batch+json",
        }
    }

    /// Writes a body, with more or less space between events.
    pub(super) fn body(self, events: &[Sent], random: &mut Random) -> Vec<u8> {
        let events: Vec<&[u8]> = events.iter().map(|event| event.bytes.as_slice()).collect();
        let spaced = random.below(2) == 0;
        match self {
            Self::One | Self::CloudEvent => [b" ", events[0], b"\n"].concat(),
            Self::Array | Self::CloudEvents => {
                let between: &[u8] = if spaced { b"\r\n,\t " } else { b"," };
                [b"[", events.join(between).as_slice(), b"]"].concat()
            }
            Self::Envelope => {
                let (start, end) = if spaced { (" { \"events\" : [ ", " ] } ") } else { ("{\"\\u0065vents\":[", "]}") };
                [start.as_bytes(), &events.join(b",".as_slice()), end.as_bytes()].concat()
            }
            Self::Lines => events.join(if spaced { b"\r\n \n".as_slice() } else { b"\n" }),
        }
    }
}
