//! What the homeserver calls: `/_matrix/app/v1/…` (Matrix application service API).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use mls_core::engine::sha256;
use mls_core::limits::TRANSACTION_BYTES_MAX;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::intake::Intake;
use super::transaction::{self, TransactionError};

/// How long transactions under way may take when we are asked to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// All routes.
pub(super) fn router(intake: Arc<Intake>, hs_token: Zeroizing<String>) -> Router {
    let authenticated = Router::new()
        .route("/_matrix/app/v1/transactions/{id}", put(transaction))
        .route("/_matrix/app/v1/users/{id}", get(nobody))
        .route("/_matrix/app/v1/rooms/{alias}", get(nobody))
        .route("/_matrix/app/v1/ping", post(ping))
        .layer(DefaultBodyLimit::max(TRANSACTION_BYTES_MAX))
        .with_state(intake)
        .layer(middleware::from_fn_with_state(Arc::new(hs_token), authenticate));
    authenticated
        .fallback(|| async { error(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "no such route") })
        .method_not_allowed_fallback(|| async {
            error(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "not with this method")
        })
}

/// Serves until stopped; what is under way then is finished, but not for ever.
pub(super) async fn serve(listener: TcpListener, app: Router, mut stopped: watch::Receiver<bool>) {
    let mut also_stopped = stopped.clone();
    let served = axum::serve(listener, app).with_graceful_shutdown(async move {
        // An error means that nobody can stop us any more: then it is time, too.
        let _ = stopped.wait_for(|stop| *stop).await;
    });
    let deadline = async move {
        let _ = also_stopped.wait_for(|stop| *stop).await;
        tokio::time::sleep(STOP_DEADLINE).await;
    };
    tokio::select! {
        served = served => if let Err(error) = served {
            tracing::error!(%error, "the listener for the homeserver failed");
        },
        () = deadline => tracing::warn!("transactions were still under way"),
    }
}

/// The homeserver's token, compared by its hash in constant time, so that not even its length
/// shows.
async fn authenticate(
    State(hs_token): State<Arc<Zeroizing<String>>>,
    request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) else {
        return error(StatusCode::UNAUTHORIZED, "M_UNAUTHORIZED", "a bearer token is wanted");
    };
    let (given, expected) = (sha256(token.trim().as_bytes()), sha256(hs_token.as_bytes()));
    if bool::from(given.0.ct_eq(&expected.0)) {
        next.run(request).await
    } else {
        tracing::warn!("a request with a wrong hs_token: is registration.yaml the one in use?");
        error(StatusCode::FORBIDDEN, "M_FORBIDDEN", "this is not the homeserver's token")
    }
}

async fn transaction(
    State(intake): State<Arc<Intake>>,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return error(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", "at most 64 MiB");
        }
        Err(_) => return error(StatusCode::BAD_REQUEST, "M_NOT_JSON", "the body broke off"),
    };
    match transaction::handle(&intake, &id, &body).await {
        Ok(()) => Json(json!({})).into_response(),
        Err(TransactionError::NotJson(why)) => error(StatusCode::BAD_REQUEST, "M_NOT_JSON", &why),
        Err(TransactionError::BadJson(why)) => error(StatusCode::BAD_REQUEST, "M_BAD_JSON", &why),
        Err(TransactionError::Later(why)) => {
            tracing::warn!(id, %why, "a transaction is not stored yet");
            error(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "not stored: send it again")
        }
    }
}

/// Ghosts and rooms are made when the hub needs them, never because somebody asks.
async fn nobody() -> Response {
    error(StatusCode::NOT_FOUND, "M_NOT_FOUND", "there is none of that name")
}

async fn ping() -> Response {
    Json(json!({})).into_response()
}

fn error(status: StatusCode, errcode: &str, error: &str) -> Response {
    (status, Json(json!({ "errcode": errcode, "error": error }))).into_response()
}
