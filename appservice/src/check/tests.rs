//! Each way in which a server can fail us has its own finding, under its own key.

use std::path::Path;

use sha1::{Digest, Sha1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Finding, Level, component, homeserver};
use crate::config::Config;

fn config(homeserver: u16, listen: u16, component: u16) -> Config {
    let text = format!(
        "database = \"x.db\"\n[matrix]\nhomeserver = \"http://127.0.0.1:{homeserver}\"\n\
         server_name = \"example.org\"\nlisten = \"127.0.0.1:{listen}\"\nas_token = \"{}\"\n\
         hs_token = \"{}\"\nsender_localpart = \"mls\"\n[xmpp]\ndomain = \"example.net\"\n\
         component = \"mls.example.net\"\naddress = \"127.0.0.1:{component}\"\nsecret = \"{}\"\n\
         muc_service = \"rooms.example.net\"\n",
        "a".repeat(32),
        "h".repeat(32),
        "s".repeat(32)
    );
    Config::parse(&text, Path::new("")).unwrap()
}

fn levels(findings: &[Finding]) -> Vec<(Level, &'static str)> {
    let told = findings.iter().filter(|finding| finding.level != Level::Note);
    told.map(|finding| (finding.level, finding.key)).collect()
}

/// A homeserver that answers each request by its path; returns its port.
async fn homeserver_that(answer: fn(&str) -> (u16, &'static str)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            assert!(request.contains(&"a".repeat(32)));
            let (status, body) = answer(request.split(' ').nth(1).unwrap());
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 content-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(text.as_bytes()).await.unwrap();
        }
    });
    port
}

fn me(path: &str) -> (u16, &'static str) {
    match path {
        "/_matrix/client/versions" => (200, r#"{"versions":["v1.15"]}"#),
        "/_matrix/client/v3/account/whoami" => (200, r#"{"user_id":"@mls:example.org"}"#),
        "/_matrix/client/v1/appservice/mls-bridge/ping" => (200, r#"{"duration_ms":1}"#),
        _ => (404, "{}"),
    }
}

fn stranger(path: &str) -> (u16, &'static str) {
    if path.ends_with("whoami") { (401, r#"{"errcode":"M_UNKNOWN_TOKEN"}"#) } else { me(path) }
}

fn other_name(path: &str) -> (u16, &'static str) {
    if path.ends_with("whoami") { (200, r#"{"user_id":"@mls:other.org"}"#) } else { me(path) }
}

fn other_token(path: &str) -> (u16, &'static str) {
    if path.ends_with("ping") { (502, r#"{"errcode":"M_BAD_STATUS"}"#) } else { me(path) }
}

fn not_reached(path: &str) -> (u16, &'static str) {
    if path.ends_with("ping") { (502, r#"{"errcode":"M_CONNECTION_FAILED"}"#) } else { me(path) }
}

#[tokio::test]
async fn a_fault_of_the_homeserver_is_named_with_the_key_that_mends_it() {
    use Level::{Fault, Good};
    let (url, token) = ((Good, "matrix.homeserver"), (Good, "matrix.as_token"));
    type Answer = fn(&str) -> (u16, &'static str);
    for (answer, expected) in [
        (me as Answer, vec![url, token, (Good, "matrix.listen")]),
        (stranger, vec![url, (Fault, "matrix.as_token"), (Good, "matrix.listen")]),
        (other_name, vec![url, (Fault, "matrix.server_name"), (Good, "matrix.listen")]),
        (other_token, vec![url, token, (Fault, "matrix.hs_token")]),
        (not_reached, vec![url, token, (Fault, "matrix.listen")]),
        (|_| (200, "<html>"), vec![(Fault, "matrix.homeserver")]),
    ] {
        let config = config(homeserver_that(answer).await, 1, 1);
        let findings = homeserver::look(config.matrix.as_ref().unwrap(), true).await;
        assert_eq!(levels(&findings), expected);
    }
}

#[tokio::test]
async fn a_server_that_is_away_and_a_port_that_is_taken_are_faults() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (taken_port, away_port) =
        (taken.local_addr().unwrap().port(), away.local_addr().unwrap().port());
    drop(away);
    let config = config(away_port, taken_port, away_port);
    let findings = homeserver::look(config.matrix.as_ref().unwrap(), false).await;
    let expected = [(Level::Fault, "matrix.listen"), (Level::Fault, "matrix.homeserver")];
    assert_eq!(levels(&findings), expected);
    let findings = component::look(config.xmpp.as_ref().unwrap(), false).await;
    assert_eq!(levels(&findings), [(Level::Fault, "xmpp.address")]);
}

/// A component port for one domain and one secret; returns its port.
async fn component_port(domain: &'static str, secret: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        let known = String::from_utf8_lossy(&buffer[..read]).contains(&format!("to='{domain}'"));
        let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
                      xmlns:stream='http://etherx.jabber.org/streams' id='one'>";
        stream.write_all(header.as_bytes()).await.unwrap();
        let error = |name| format!("<stream:error><{name}/></stream:error></stream:stream>");
        if !known {
            stream.write_all(error("host-unknown").as_bytes()).await.unwrap();
            return;
        }
        let read = stream.read(&mut buffer).await.unwrap();
        let proof = hex::encode(Sha1::digest(format!("one{secret}")));
        let right = String::from_utf8_lossy(&buffer[..read]).contains(&proof);
        let answer = if right { "<handshake/>".to_owned() } else { error("not-authorized") };
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    port
}

#[tokio::test]
async fn a_fault_of_the_component_is_named_with_the_key_that_mends_it() {
    let sound = "s".repeat(32);
    for (domain, secret, running, expected) in [
        ("mls.example.net", sound.clone(), false, (Level::Good, "xmpp.secret")),
        ("mls.example.net", "other".to_owned(), false, (Level::Fault, "xmpp.secret")),
        ("mls.example.net", "other".to_owned(), true, (Level::Good, "xmpp.component")),
        ("mls.other.net", sound, false, (Level::Fault, "xmpp.component")),
    ] {
        let config = config(1, 1, component_port(domain, secret).await);
        let findings = component::look(config.xmpp.as_ref().unwrap(), running).await;
        assert_eq!(levels(&findings), [expected]);
    }
}
