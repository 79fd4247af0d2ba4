//! What the demo calls the market's accounts, and what each of them goes through.

use std::collections::BTreeMap;

use crate::commands::show;
use crate::sim::story::{Role, Story};

/// The accounts of the market by seller and marketplace.
#[derive(Debug)]
pub struct Names {
    by_id: BTreeMap<(String, String), String>,
    stories: Vec<Role>,
}

impl Names {
    /// The names of a cast.
    pub fn of_cast<'a>(cast: impl Iterator<Item = &'a Role>) -> Self {
        let (mut by_id, mut stories) = (BTreeMap::new(), Vec::new());
        for role in cast {
            let name = format!("{} ({})", role.name, role.country());
            by_id.insert((role.seller.clone(), role.marketplace.to_owned()), name);
            if role.story != Story::Healthy {
                stories.push(role.clone());
            }
        }
        Self { by_id, stories }
    }

    /// What an account is called.
    pub fn of(&self, seller: &str, marketplace: &str) -> String {
        let name = self.by_id.get(&(seller.to_owned(), marketplace.to_owned()));
        name.cloned().unwrap_or_else(|| show::account(seller, marketplace))
    }

    /// The accounts that go through something.
    pub fn stories(&self) -> &[Role] {
        &self.stories
    }
}
