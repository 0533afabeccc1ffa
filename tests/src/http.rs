//! A small HTTP/1.1 client for servers on this machine: one request a connection, JSON bodies.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::error::RigError;

const WAIT: Duration = Duration::from_secs(60);

/// An answer of a server.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; `Null` where it is not JSON.
    pub json: Value,
}

/// One request to a port of this machine.
#[derive(Debug)]
pub struct Request<'a> {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// `GET`, `PUT`, `POST`.
    pub method: &'a str,
    /// Path and query, already percent-encoded.
    pub path: &'a str,
    /// A bearer token.
    pub token: Option<&'a str>,
    /// The body, sent as `application/json` whatever it holds.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// Sends the request and reads the whole answer.
    pub fn send(&self) -> Result<Answer, RigError> {
        let doing = || format!("{} http://127.0.0.1:{}{}", self.method, self.port, self.path);
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).map_err(RigError::io(doing()))?;
        stream.set_read_timeout(Some(WAIT)).map_err(RigError::io(doing()))?;
        stream.set_write_timeout(Some(WAIT)).map_err(RigError::io(doing()))?;
        let authorization = self
            .token
            .map(|token| format!("Authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{authorization}\r\n",
            self.method,
            self.path,
            self.body.len()
        );
        stream.write_all(head.as_bytes()).map_err(RigError::io(doing()))?;
        // A server may refuse by the head alone and close before it has read the body.
        let _refused_early = stream.write_all(self.body);
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map_err(RigError::io(doing()))?;
        parse(&bytes).ok_or_else(|| RigError::Answer(format!("{}: no HTTP answer", doing())))
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = bytes.get(end + 4..)?;
    let body =
        if head.contains("transfer-encoding: chunked") { dechunk(body) } else { body.into() };
    Some(Answer { status, json: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = rest.get(..line).and_then(|text| std::str::from_utf8(text).ok());
        let Some(size) = size.and_then(|text| usize::from_str_radix(text.trim(), 16).ok()) else {
            break;
        };
        let Some(chunk) = rest.get(line + 2..line + 2 + size) else { break };
        body.extend_from_slice(chunk);
        rest = rest.get(line + 4 + size..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    body
}

/// One segment of a path, percent-encoded.
pub fn encode(segment: &str) -> String {
    let keep = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    segment
        .bytes()
        .map(|byte| if keep(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{encode, parse};

    #[test]
    fn a_chunked_answer_is_read_as_one_body() {
        let answer = parse(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n",
        )
        .unwrap();
        assert_eq!((answer.status, &answer.json["a"]), (200, &serde_json::json!(1)));
    }

    #[test]
    fn a_room_id_is_encoded_as_one_path_segment() {
        assert_eq!(encode("!a/b:c"), "%21a%2Fb%3Ac");
    }
}
