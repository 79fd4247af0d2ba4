//! Signing in: the token for a cookie that scripts cannot read.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::Refusal;
use crate::http::HttpState;
use crate::http::access::{COOKIE, SESSION_SECONDS};

/// What is sent to sign in; without `Debug`, as it holds a secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    token: String,
}

/// `POST /api/v1/session`
pub(super) async fn sign_in(
    State(state): State<Arc<HttpState>>,
    sent: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, Refusal> {
    if !state.access.is_locked() {
        let hint = "Without http.token_file, the API asks for no token.";
        return Err(Refusal::not_found("There is nothing to sign in to.", hint));
    }
    let Json(SignIn { token }) = sent.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::too_long(),
        // The rejection's own words may quote what was sent.
        _ => Refusal::bad("the body must be {\"token\":\"...\"} of type application/json"),
    })?;
    let Some(session) = state.access.session(&token) else {
        return Err(Refusal::unauthorised("This is not the token."));
    };
    let cookie =
        format!("{COOKIE}={session}; Path=/; Max-Age={SESSION_SECONDS}; HttpOnly; SameSite=Strict");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}
