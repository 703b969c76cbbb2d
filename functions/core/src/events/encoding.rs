//! How a body is compressed: gzip or zstd, decoded within bounds.

use super::MAX_BODY_BYTES;
use crate::problem::{Kind, Problem};
use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::{HeaderMap, header};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::error::Error;
use std::io::Read;

/// The largest window of zstd, bytes: what RFC 9659 lets a sender use over HTTP.
const MAX_WINDOW_BYTES: u64 = 8 * 1024 * 1024;
/// The most members (gzip) or frames (zstd) of a body. Empty ones cost time and add nothing to what is counted otherwise.
const MAX_MEMBERS: usize = 10_000;
/// How much of a zstd frame is decoded before the bound is looked at again, bytes.
const STEP_BYTES: usize = 64 * 1024;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// It is not.
    Identity,
    /// RFC 1952, of one member or several.
    Gzip,
    /// RFC 8878, of one frame or several.
    Zstd,
}

/// Why a body cannot be decoded.
enum Failure {
    TooLarge,
    Malformed(Box<dyn Error + Send + Sync>),
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Malformed(error.into())
    }
}

impl Encoding {
    /// The encoding that a request names.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).iter();
        let Some(value) = values.next() else { return Ok(Self::Identity) };
        let name = value.as_bytes().trim_ascii().to_ascii_lowercase();
        match (name.as_slice(), values.next()) {
            (b"identity", None) => Ok(Self::Identity),
            (b"gzip" | b"x-gzip", None) => Ok(Self::Gzip),
            (b"zstd", None) => Ok(Self::Zstd),
            _ => Err(Problem::encoding_not_supported("gzip, zstd")),
        }
    }

    /// What the body was before it was compressed. One that grows beyond the bound is given up there.
    pub fn decode(self, body: Bytes) -> Result<Bytes, Problem> {
        let (name, decoded) = match self {
            Self::Identity => return Ok(body),
            Self::Gzip => ("gzip", members(&body, gzip_member)),
            Self::Zstd => ("zstd", zstd(&body)),
        };
        decoded.map(Bytes::from).map_err(|failure| match failure {
            Failure::TooLarge => {
                let detail = format!(
                    "The body has more than {MAX_BODY_BYTES} bytes once decompressed, the most that is taken; \
                     {} came compressed.",
                    body.len()
                );
                Problem::new(Kind::BodyTooLarge, detail)
            }
            Failure::Malformed(error) => {
                Problem::new(Kind::MalformedBody, format!("The body is not valid {name}: {error}."))
            }
        })
    }
}

/// Decodes one member after the other, each of which leaves what follows it, until nothing is left.
fn members(
    mut rest: &[u8],
    mut member: impl FnMut(&mut &[u8], &mut Vec<u8>) -> Result<(), Failure>,
) -> Result<Vec<u8>, Failure> {
    let mut decoded = Vec::new();
    for _ in 0..MAX_MEMBERS {
        member(&mut rest, &mut decoded)?;
        if rest.is_empty() {
            return Ok(decoded);
        }
    }
    Err(format!("it has more than {MAX_MEMBERS} parts").into())
}

fn gzip_member(rest: &mut &[u8], decoded: &mut Vec<u8>) -> Result<(), Failure> {
    let mut decoder = GzDecoder::new(*rest);
    let allowed = MAX_BODY_BYTES - decoded.len() + 1;
    decoder.by_ref().take(allowed as u64).read_to_end(decoded)?;
    if decoded.len() > MAX_BODY_BYTES {
        return Err(Failure::TooLarge);
    }
    *rest = decoder.into_inner();
    Ok(())
}

fn zstd(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(MAX_WINDOW_BYTES);
    members(body, |rest, decoded| zstd_frame(&mut decoder, rest, decoded))
}

fn zstd_frame(decoder: &mut FrameDecoder, rest: &mut &[u8], decoded: &mut Vec<u8>) -> Result<(), Failure> {
    match decoder.reset(&mut *rest) {
        Ok(()) => {}
        Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
            *rest = usize::try_from(length).ok().and_then(|length| rest.get(length..)).ok_or("a frame is cut off")?;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    let start = decoded.len();
    let promised = decoder.content_size();
    if promised > (MAX_BODY_BYTES - start) as u64 {
        return Err(Failure::TooLarge);
    }
    decoded.reserve_exact(usize::try_from(promised).unwrap_or_default());
    while !decoder.is_finished() {
        decoder.decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBytes(STEP_BYTES))?;
        if decoded.len() + decoder.can_collect() > MAX_BODY_BYTES {
            return Err(Failure::TooLarge);
        }
        decoder.collect_to_writer(&mut *decoded)?;
    }
    if promised != 0 && promised != (decoded.len() - start) as u64 {
        return Err("a frame has not the size it promises".into());
    }
    let sent = decoder.get_checksum_from_data();
    if sent.is_some() && sent != decoder.get_calculated_checksum() {
        return Err("a checksum does not match".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::io::Write as _;

    const TEXT: &[u8] = br#"{"events": []}"#;

    fn of(values: &[&str]) -> Result<Encoding, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_str(value).unwrap());
        }
        Encoding::of(&headers)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    /// A frame of blocks of one repeated byte: `exponent` says how large its window is, 2 to the power of 10 and that.
    fn repeated(exponent: u8, blocks: usize, block_bytes: u32) -> Vec<u8> {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3];
        for block in 1..=blocks {
            let header = u32::from(block == blocks) | 1 << 1 | block_bytes << 3;
            frame.extend_from_slice(&header.to_le_bytes()[..3]);
            frame.push(b'7');
        }
        frame
    }

    fn decoded(encoding: Encoding, body: &[u8]) -> Result<Bytes, Kind> {
        encoding.decode(Bytes::copy_from_slice(body)).map_err(|problem| problem.kind())
    }

    #[test]
    fn a_header_names_the_encoding() {
        for (values, encoding) in [
            (&[][..], Encoding::Identity),
            (&["identity"], Encoding::Identity),
            (&["gzip"], Encoding::Gzip),
            (&["X-GZIP"], Encoding::Gzip),
            (&["Zstd"], Encoding::Zstd),
        ] {
            assert_eq!(of(values).unwrap(), encoding, "{values:?}");
        }
        for values in [&["br"][..], &["deflate"], &["gzip, gzip"], &["gzip", "zstd"], &["identity", "gzip"], &[""]] {
            let problem = of(values).unwrap_err();
            assert_eq!(problem.kind(), Kind::UnsupportedMediaType, "{values:?}");
            assert_eq!(problem.headers()[header::ACCEPT_ENCODING], "gzip, zstd", "{values:?}");
        }
    }

    #[test]
    fn members_follow_each_other() {
        let empty = gzip(b"");
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        for (encoding, one, nothing) in [(Encoding::Gzip, gzip(TEXT), empty), (Encoding::Zstd, zstd(TEXT), skippable)] {
            assert_eq!(decoded(encoding, &one).unwrap(), TEXT);
            let three = [&one[..], &nothing, &one].concat();
            assert_eq!(decoded(encoding, &three).unwrap(), [TEXT, TEXT].concat());
            assert_eq!(decoded(encoding, &nothing).unwrap(), b""[..]);
            let many = nothing.repeat(MAX_MEMBERS);
            assert_eq!(decoded(encoding, &many).unwrap(), b""[..]);
            assert_eq!(decoded(encoding, &[&many[..], &nothing].concat()), Err(Kind::MalformedBody));
        }
        assert_eq!(decoded(Encoding::Identity, TEXT).unwrap(), TEXT);
    }

    #[test]
    fn what_is_cut_off_or_followed_by_anything_is_refused() {
        for (encoding, body) in [(Encoding::Gzip, gzip(TEXT)), (Encoding::Zstd, zstd(TEXT))] {
            for end in 0..body.len() {
                assert_eq!(decoded(encoding, &body[..end]), Err(Kind::MalformedBody), "{encoding:?} {end}");
            }
            for more in [&b"\0"[..], b"\n", b"{}", &body[..5], TEXT] {
                assert_eq!(decoded(encoding, &[&body[..], more].concat()), Err(Kind::MalformedBody), "{encoding:?}");
            }
        }
        assert_eq!(decoded(Encoding::Gzip, &zstd(TEXT)), Err(Kind::MalformedBody));
        assert_eq!(decoded(Encoding::Zstd, &gzip(TEXT)), Err(Kind::MalformedBody));
    }

    #[test]
    fn a_change_on_the_way_is_noticed() {
        for (encoding, mut body) in [(Encoding::Gzip, gzip(TEXT)), (Encoding::Zstd, zstd(TEXT))] {
            // The checksum of either is within the last eight bytes.
            let at = body.len() - if encoding == Encoding::Gzip { 6 } else { 2 };
            body[at] ^= 1;
            assert_eq!(decoded(encoding, &body), Err(Kind::MalformedBody), "{encoding:?}");
        }
    }

    #[test]
    fn a_size_that_is_promised_is_kept() {
        let raw = |promised: u8| [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, promised, 0x11, 0, 0][..], b"ab"].concat();
        assert_eq!(decoded(Encoding::Zstd, &raw(2)).unwrap(), b"ab"[..]);
        for promised in [1, 3, 200] {
            assert_eq!(decoded(Encoding::Zstd, &raw(promised)), Err(Kind::MalformedBody), "{promised}");
        }
        // 16 EiB, before anything is decoded or allocated for it.
        let huge = [&[0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0][..], &[0xff; 8], &[0x11, 0, 0], b"ab"].concat();
        assert_eq!(decoded(Encoding::Zstd, &huge), Err(Kind::BodyTooLarge));
    }

    #[test]
    fn what_grows_beyond_the_bound_is_given_up_there() {
        let full = vec![b' '; MAX_BODY_BYTES];
        let over = vec![b' '; MAX_BODY_BYTES + 1];
        for encode in [gzip, zstd] {
            let encoding = if encode(TEXT)[0] == 0x1f { Encoding::Gzip } else { Encoding::Zstd };
            assert_eq!(decoded(encoding, &encode(&full)).unwrap().len(), MAX_BODY_BYTES);
            assert_eq!(decoded(encoding, &encode(&over)), Err(Kind::BodyTooLarge));
            let half = encode(&full[..MAX_BODY_BYTES / 2 + 1]);
            assert_eq!(decoded(encoding, &[&half[..], &half].concat()), Err(Kind::BodyTooLarge), "in two");
        }
        // A gigabyte, of 32 KiB, in each window there is: what comes after the bound is not even looked at.
        for exponent in 0..=13 {
            let block_bytes = 1024 << exponent.min(7);
            let mut bomb = repeated(exponent, 8192, block_bytes);
            bomb.truncate(bomb.len() - 1);
            let problem = Encoding::Zstd.decode(Bytes::from(bomb)).unwrap_err();
            let kind = if block_bytes * 8192 > 10 << 20 { Kind::BodyTooLarge } else { Kind::MalformedBody };
            assert_eq!(problem.kind(), kind, "{exponent}");
        }
    }

    #[test]
    fn a_window_has_a_bound() {
        assert_eq!(decoded(Encoding::Zstd, &repeated(13, 1, 9)).unwrap(), b"777777777"[..]);
        assert_eq!(decoded(Encoding::Zstd, &repeated(14, 1, 9)), Err(Kind::MalformedBody));
        let little_over = [&[0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3 | 1][..], &repeated(13, 1, 9)[6..]].concat();
        assert_eq!(decoded(Encoding::Zstd, &little_over), Err(Kind::MalformedBody));
    }
}
