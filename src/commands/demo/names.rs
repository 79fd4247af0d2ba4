//! What the demo calls the market's accounts, and what each of them goes through.

use std::collections::BTreeMap;

use crate::commands::show;
use crate::sim::story::{Role, Story};

/// The accounts of the market by seller and marketplace.
#[derive(Debug)]
pub struct Names {
    /// Shop and country.
    by_id: BTreeMap<(String, String), (String, &'static str)>,
    stories: Vec<Role>,
}

impl Names {
    /// The names of a cast.
    pub fn of_cast<'a>(cast: impl Iterator<Item = &'a Role>) -> Self {
        let (mut by_id, mut stories) = (BTreeMap::new(), Vec::new());
        for role in cast {
            let id = (role.seller.clone(), role.marketplace.to_owned());
            by_id.insert(id, (role.name.clone(), role.country()));
            if role.story != Story::Healthy {
                stories.push(role.clone());
            }
        }
        Self { by_id, stories }
    }

    /// What an account is called.
    pub fn of(&self, seller: &str, marketplace: &str) -> String {
        self.cut(seller, marketplace, usize::MAX)
    }

    /// What an account is called, with at most so many letters of the shop's own name.
    pub fn cut(&self, seller: &str, marketplace: &str, letters: usize) -> String {
        match self.by_id.get(&(seller.to_owned(), marketplace.to_owned())) {
            Some((shop, country)) => format!("{} ({country})", cut(shop, letters)),
            None => cut(&show::account(seller, marketplace), letters),
        }
    }

    /// The accounts that go through something.
    pub fn stories(&self) -> &[Role] {
        &self.stories
    }
}

fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{}\u{2026}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::story::Market;

    #[test]
    fn an_account_is_called_by_its_shop_and_country() {
        let market = Market::new(1, 10, 0, 86_400_000);
        let names = Names::of_cast(market.cast());
        let role = market.cast().find(|role| role.story == Story::Clearing).unwrap();
        assert_eq!(names.of(&role.seller, role.marketplace), "Second Chance Books (UK)");
        let cut = names.cut(&role.seller, role.marketplace, 15);
        assert_eq!(cut, "Second Chance\u{2026} (UK)");
        assert_eq!(names.of("A1", "M"), "A1 @ M");
        assert_eq!(names.stories().len(), 10);
    }
}
