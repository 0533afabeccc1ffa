//! What an operator wants to know before `run`: what fails, and how to mend it.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::homeserver::{Homeserver, HomeserverRequest};
use super::intake::Intake;
use super::invitation::Invitations;
use super::server;
use super::setup::AppserviceSetup;
use super::versions::versions;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// One sentence.
    pub fault: String,
    /// One sentence.
    pub mend: String,
}

/// Reaches the homeserver in both directions; nothing is found where all is well. Where the
/// address is free, it listens there for the moment, else `mls-bridge run` should be there.
pub async fn check(setup: &AppserviceSetup) -> Vec<Finding> {
    let homeserver = match Homeserver::new(setup) {
        Ok(homeserver) => std::sync::Arc::new(homeserver),
        Err(error) => return vec![finding(error, "correct it in mls-bridge.toml")],
    };
    if let Err(error) = versions(&homeserver).await {
        return vec![finding(error, "check `homeserver`, and that Synapse runs there")];
    }
    if let Err(found) = whoami(&homeserver).await {
        return vec![found];
    }
    let (stop, stopped) = watch::channel(false);
    let serving = match TcpListener::bind(setup.listen).await {
        Ok(listener) => {
            let (deliveries, _nobody) = mpsc::channel(1);
            let invitations = Invitations::new(homeserver.clone(), stopped.clone());
            let seen = Box::new(|_: &str| None);
            let intake = Intake::new(homeserver.clone(), invitations, seen, deliveries);
            let app = server::router(std::sync::Arc::new(intake), setup.hs_token.clone());
            Some(tokio::spawn(server::serve(listener, app, stopped)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => None,
        Err(error) => {
            let fault = format!("cannot listen on {}: {error}", setup.listen);
            return vec![finding(fault, "correct `listen`")];
        }
    };
    let found = ping(&homeserver, setup.registration_id()).await;
    stop.send_replace(true);
    if let Some(serving) = serving {
        serving.abort();
    }
    found.err().into_iter().collect()
}

async fn whoami(homeserver: &Homeserver) -> Result<(), Finding> {
    let path = ["_matrix", "client", "v3", "account", "whoami"];
    let answer = homeserver.send(HomeserverRequest::new(Method::GET, &path)).await;
    let answer = answer.map_err(|error| {
        finding(
            format!("the homeserver does not take as_token: {error}"),
            "name registration.yaml in app_service_config_files of homeserver.yaml, then restart \
             Synapse: it reads the file only at its start",
        )
    })?;
    let user = answer.get("user_id").and_then(Value::as_str).unwrap_or_default();
    if user == homeserver.hub() {
        return Ok(());
    }
    Err(finding(
        format!("the homeserver calls us {user}, the configuration {}", homeserver.hub()),
        "make server_name and sender_localpart the same in both files, then restart Synapse",
    ))
}

/// The homeserver calls us back (Matrix client-server API, `POST /appservice/{id}/ping`).
async fn ping(homeserver: &Homeserver, id: &str) -> Result<(), Finding> {
    let path = ["_matrix", "client", "v1", "appservice", id, "ping"];
    let request = HomeserverRequest::new(Method::POST, &path);
    let answer = homeserver.send(request.body(json!({ "transaction_id": "check" }))).await;
    let Err(error) = answer else { return Ok(()) };
    let mend = match &error {
        e if e.is("M_FORBIDDEN") => {
            "the `id` in registration.yaml must be the one that `mls-bridge init` wrote"
        }
        e if e.is("M_URL_NOT_SET") => "set `url` in registration.yaml",
        e if e.is("M_BAD_STATUS") => {
            "make hs_token the same in registration.yaml and mls-bridge.toml, and look that \
             nothing else listens at `url`"
        }
        e if e.is("M_CONNECTION_FAILED") || e.is("M_CONNECTION_TIMEOUT") => {
            "`url` in registration.yaml must lead from the homeserver to `listen`"
        }
        _ => "look into the homeserver's log",
    };
    Err(finding(format!("the homeserver does not reach us: {error}"), mend))
}

fn finding(fault: impl std::fmt::Display, mend: &str) -> Finding {
    Finding { fault: fault.to_string(), mend: mend.to_owned() }
}
