//! One account as Amazon's account-health report has it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::account::look;
use super::asked::{Asked, Named, known};
use super::elsewhere::Redirect;
use super::{Refusal, readers};
use crate::domain::policy::View;
use crate::http::HttpState;
use crate::wire;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    view: String,
    #[serde(default)]
    redirect: Redirect,
}

/// `GET /api/v1/sellers/{seller}/{marketplace}/report`
pub(super) async fn report(
    State(state): State<Arc<HttpState>>,
    named: Named,
    Asked(asked): Asked<Parameters>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let readers = readers(&state)?;
    let view = match asked.view.as_str() {
        "" => View::Official,
        name => known(&View::ALL, View::as_str, "view", name)?,
    };
    let look = look(readers, &named, (asked.redirect, &uri)).await?;
    let report = wire::report::report(&look, view, &readers.policy);
    Ok(([(header::CONTENT_TYPE, "application/json")], report).into_response())
}
