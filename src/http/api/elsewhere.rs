//! Shards that another member of the group has: which, where, and how a request gets there.
//!
//! Invariant: no request is sent on twice. Where it is sent carries `redirect=done`, and what
//! carries that is answered here or refused with the reason.

use axum::http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};

use super::{Readers, Refusal, now_ms};
use crate::domain::ids::ShardNo;
use crate::pipeline::query::Owner;
use crate::wire::partition::{Partitioner, partition_of};
use crate::wire::time::instant;

/// What is to be done with a request for an account that another member has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Redirect {
    /// Send it there.
    #[default]
    #[serde(rename = "")]
    There,
    /// It was sent here by another member: do not send it on.
    #[serde(rename = "done")]
    Done,
    /// Say where, for those who cannot follow.
    #[serde(rename = "none")]
    Say,
}

/// A shard that is elsewhere.
#[derive(Debug, Serialize)]
pub(super) struct Elsewhere {
    shard: u32,
    owner: Option<String>,
    boundary: Option<String>,
    age_ms: Option<i64>,
}

impl Readers {
    /// The shards that this process does not have, and who committed last for each.
    pub(super) fn elsewhere(&self) -> Vec<Elsewhere> {
        let here = self.model.shards();
        let all = (0..u32::try_from(self.shards).unwrap_or(u32::MAX)).map(ShardNo::new);
        let others = all.filter(|shard| !here.contains_key(shard));
        others
            .map(|shard| {
                let owner = self.directory.owner(shard);
                let boundary = owner.as_ref().and_then(|owner| owner.boundary_ms);
                Elsewhere {
                    shard: shard.get(),
                    owner: owner.and_then(|owner| owner.address),
                    boundary: boundary.map(instant),
                    age_ms: boundary.map(|at| now_ms() - at),
                }
            })
            .collect()
    }

    /// What to say to a request for a seller whom no shard of this process holds: where the member
    /// is that has its shard; nothing where the shard is here, or cannot be told from the seller.
    pub(super) fn send_on(
        &self,
        seller_id: &str,
        redirect: Redirect,
        uri: &Uri,
    ) -> Option<Refusal> {
        if self.partitioner == Partitioner::Off || self.shards == 0 {
            return None;
        }
        let count = u32::try_from(self.shards).ok()?;
        let shard = ShardNo::new(partition_of(self.partitioner, seller_id, count));
        if self.model.shards().contains_key(&shard) {
            return None;
        }
        let address = self.directory.owner(shard).and_then(|Owner { address, .. }| address);
        let address = address.filter(|address| Some(address) != self.own_address.as_ref());
        Some(match (address, redirect) {
            (Some(address), Redirect::There) => Refusal::elsewhere(
                StatusCode::TEMPORARY_REDIRECT,
                format!("Another member of the group has shard {shard} of this seller."),
                location(&address, uri),
            ),
            (Some(address), Redirect::Say) => Refusal::elsewhere(
                StatusCode::MISDIRECTED_REQUEST,
                format!("Another member of the group has shard {shard} of this seller."),
                location(&address, uri),
            ),
            (_, Redirect::Done) => Refusal::busy(format!(
                "Another member sent this request here, and shard {shard} of this seller is not \
                 here: it is moving."
            )),
            (None, _) => Refusal::busy(format!(
                "Shard {shard} of this seller is not here, and no other member has told its \
                 address (http.advertise)."
            )),
        })
    }
}

/// The same path at another address, under whatever scheme the request came by.
fn location(address: &str, uri: &Uri) -> String {
    let kept = uri.query().unwrap_or_default().split('&');
    let kept = kept.filter(|pair| !pair.is_empty() && !pair.starts_with("redirect="));
    let query: Vec<&str> = kept.chain(["redirect=done"]).collect();
    format!("//{address}{}?{}", uri.path(), query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_keeps_the_path_and_says_that_it_is_one() {
        let check = |from: &str, to: &str| {
            assert_eq!(location("odr-1:9464", &from.parse().unwrap()), to);
        };
        check("/a/b%2Fc", "//odr-1:9464/a/b%2Fc?redirect=done");
        check("/a?view=live", "//odr-1:9464/a?view=live&redirect=done");
        check("/a?redirect=none&view=live", "//odr-1:9464/a?view=live&redirect=done");
    }
}
