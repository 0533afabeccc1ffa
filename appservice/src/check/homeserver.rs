//! Whether the homeserver is there, knows us, and can reach us.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Finding;
use crate::config::Matrix;
use crate::init::REGISTRATION_ID;
use crate::limits::CHECK_DEADLINE;

/// Looks at everything that can be seen. `running`: an mls-bridge is up and listens.
pub(super) async fn look(config: &Matrix, running: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !running {
        findings.push(can_listen(config).await);
    }
    let http = Client::builder().timeout(CHECK_DEADLINE).build();
    let asked = match http {
        Ok(http) => Homeserver { http, config },
        Err(error) => {
            findings.push(Finding::fault("matrix.homeserver", error.to_string()));
            return findings;
        }
    };
    match asked.versions().await {
        Ok(finding) => findings.push(finding),
        Err(fault) => {
            findings.push(fault);
            return findings;
        }
    }
    findings.push(asked.who_am_i().await);
    findings.push(match running {
        true => asked.ping().await,
        false => Finding::note(
            "matrix.listen",
            "whether the homeserver reaches it is seen only while mls-bridge runs",
        ),
    });
    findings.push(Finding::note(
        "matrix",
        "rc_invites cannot be seen from here; without the lines of the snippet homeserver.yaml \
         the hub takes 5 new clients, then one in 333 seconds",
    ));
    findings
}

async fn can_listen(config: &Matrix) -> Finding {
    match TcpListener::bind(config.listen).await {
        Ok(_) => Finding::good("matrix.listen", format!("{} is free", config.listen)),
        Err(error) => {
            let text = format!("cannot listen on {}: {error}; choose another port", config.listen);
            Finding::fault("matrix.listen", text)
        }
    }
}

struct Homeserver<'a> {
    http: Client,
    config: &'a Matrix,
}

impl Homeserver<'_> {
    async fn versions(&self) -> Result<Finding, Finding> {
        let url = &self.config.homeserver;
        let (status, answer) =
            self.ask(Method::GET, "/_matrix/client/versions", None).await.map_err(|error| {
                let text = format!(
                    "{url} does not answer: {error}; is the homeserver running, and is this its \
                     client-server port?"
                );
                Finding::fault("matrix.homeserver", text)
            })?;
        if status.is_success() && answer.get("versions").is_some() {
            Ok(Finding::good("matrix.homeserver", format!("{url} answers")))
        } else {
            let text = format!(
                "{url} answers, but not as a homeserver does (HTTP {}); is this its client-server \
                 port?",
                status.as_u16()
            );
            Err(Finding::fault("matrix.homeserver", text))
        }
    }

    async fn who_am_i(&self) -> Finding {
        let expected = self.config.hub();
        match self.ask(Method::GET, "/_matrix/client/v3/account/whoami", None).await {
            Err(error) => Finding::fault("matrix.homeserver", error),
            Ok((status, answer)) if status.is_success() => {
                let found = answer.get("user_id").and_then(Value::as_str).unwrap_or_default();
                if found == expected {
                    return Finding::good("matrix.as_token", format!("we are {found}"));
                }
                let text = format!(
                    "the homeserver says that we are {found:?}, not {expected}; server_name and \
                     sender_localpart must be those of homeserver.yaml and registration.yaml"
                );
                Finding::fault("matrix.server_name", text)
            }
            Ok((StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _)) => Finding::fault(
                "matrix.as_token",
                "the homeserver does not know it; name registration.yaml under \
                 app_service_config_files in homeserver.yaml, let the homeserver read it, and \
                 restart the homeserver",
            ),
            Ok((status, _)) => {
                let text = format!("whoami ends with HTTP {}; see its log", status.as_u16());
                Finding::fault("matrix.homeserver", text)
            }
        }
    }

    /// The homeserver calls us back with its token (Matrix 1.7).
    async fn ping(&self) -> Finding {
        let path = format!("/_matrix/client/v1/appservice/{REGISTRATION_ID}/ping");
        let body = json!({ "transaction_id": "mls-bridge check" });
        let (status, answer) = match self.ask(Method::POST, &path, Some(body)).await {
            Ok(answered) => answered,
            Err(error) => return Finding::fault("matrix.homeserver", error),
        };
        if status.is_success() {
            return Finding::good("matrix.listen", "the homeserver reaches us");
        }
        let code = answer.get("errcode").and_then(Value::as_str).unwrap_or_default();
        match code {
            "M_BAD_STATUS" => Finding::fault(
                "matrix.hs_token",
                "the homeserver reaches us with another token; hs_token must be that of the \
                 registration.yaml that it has loaded",
            ),
            "M_CONNECTION_FAILED" | "M_CONNECTION_TIMEOUT" | "M_URL_NOT_SET" => Finding::fault(
                "matrix.listen",
                format!(
                    "the homeserver does not reach us ({code}); url in registration.yaml must \
                     lead to {}",
                    self.config.listen
                ),
            ),
            _ => {
                let text = format!("the homeserver does not say whether it reaches us ({code})");
                Finding::note("matrix.listen", text)
            }
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), String> {
        let url = self.config.homeserver.join(path).map_err(|error| error.to_string())?;
        let token = self.config.as_token.reveal();
        let mut request = self.http.request(method, url).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| causes(&error.without_url()))?;
        let status = answer.status();
        Ok((status, answer.json().await.unwrap_or_default()))
    }
}

/// An error with what lies behind it; reqwest's own text stops at the surface.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
