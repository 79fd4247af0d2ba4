//! What a boundary did to counted defects, in words: matters, quotes, endings.

use super::{Gone, Matter, Quote, Stood, Touched, name};
use crate::domain::boundary::SellerNo;
use crate::domain::defects::Defect;
use crate::domain::effects::Effects;
use crate::domain::evaluate::Mode;
use crate::domain::event::{DefectFact, FeedbackStatus};
use crate::domain::orders::OrderKey;
use crate::domain::shard::Shard;
use crate::domain::window::{Account, AccountNo};

fn closed(seller_id: &str, order_id: &str, stood: &Stood) -> Matter {
    Matter {
        seller_id: seller_id.into(),
        order_id: order_id.into(),
        kind: stood.fact.kind(),
        reference: stood.reference.clone(),
        open: None,
    }
}

/// The feedback whose comment was read, among counted defects: there is one at most.
fn noted(stood: &[Stood]) -> Option<&Stood> {
    stood.iter().find(|one| one.note.is_some())
}

impl Shard {
    /// Tells what the boundary did to counted defects; `ends_cycle` if a cycle closed with it.
    pub(crate) fn tell_care(&mut self, mode: Mode, ends_cycle: bool, effects: &mut Effects) {
        if !self.book.care.is_wanted {
            return;
        }
        let mut gone = std::mem::take(&mut self.book.care.gone);
        self.tell_gone(&mut gone, mode, effects);
        let touched = std::mem::take(&mut self.book.care.touched);
        let accounts = self.accounts_told_whole(mode, ends_cycle);
        self.tell_touched(touched, &accounts, mode, effects);
        self.tell_accounts(accounts, effects);
    }

    fn tell_gone(&self, gone: &mut [Gone], mode: Mode, effects: &mut Effects) {
        let accounts = &self.book.accounts;
        // They were found in the order of a table.
        gone.sort_by(|left, right| {
            let (one, other) = (accounts.seller_id(left.seller), accounts.seller_id(right.seller));
            (one, &left.order_id, left.stood.identity()).cmp(&(
                other,
                &right.order_id,
                right.stood.identity(),
            ))
        });
        for Gone { seller, order_id, stood } in &*gone {
            let seller_id = accounts.seller_id(*seller);
            if mode == Mode::Speaking && stood.account.is_some() {
                effects.matters.push(closed(seller_id, order_id, stood));
            }
            if let Some(ending) = stood.ending(false) {
                effects.endings.push(ending);
                let (seller_id, order_id) = (seller_id.into(), order_id.clone());
                effects.quote(Quote { seller_id, order_id, offset: None });
            }
        }
    }

    /// The accounts all of whose matters are told, in the order of names.
    fn accounts_told_whole(&self, mode: Mode, ends_cycle: bool) -> Vec<AccountNo> {
        let mut told: Vec<AccountNo> = match mode {
            Mode::Start => self.book.accounts.iter().map(|(number, _)| number).collect(),
            Mode::Speaking if ends_cycle => {
                let moved = |(_, account): &(AccountNo, &Account)| account.moved;
                self.book.accounts.iter().filter(moved).map(|(number, _)| number).collect()
            }
            Mode::Speaking | Mode::Silent => Vec::new(),
        };
        self.book.accounts.sort(&mut told);
        told
    }

    fn tell_touched(
        &self,
        touched: Vec<Touched>,
        whole: &[AccountNo],
        mode: Mode,
        effects: &mut Effects,
    ) {
        let mut whole = whole.to_vec();
        whole.sort_unstable();
        for Touched { seller, order: key, before, quoted } in first_of_each(touched) {
            let book = &self.book;
            let order = book.held(seller, key);
            let after = book.stood(key, seller, order.as_ref());
            let (seller_id, order_id) = (book.accounts.seller_id(seller), book.order_text(key));
            if mode == Mode::Speaking && before != after {
                let is_open = |one: &Stood| {
                    after
                        .iter()
                        .any(|now| now.account.is_some() && now.identity() == one.identity())
                };
                let gone = before.iter().filter(|one| one.account.is_some() && !is_open(one));
                effects.matters.extend(gone.map(|one| closed(seller_id, &order_id, one)));
                let account = order.map(|order| order.account);
                if let Some(account) = account.filter(|of| whole.binary_search(of).is_err()) {
                    let boundary_ms = book.boundary.ms(self.length);
                    effects.matters.extend(book.matters(account, key, boundary_ms));
                }
            }
            let (had, has) = (noted(&before), noted(&after));
            let quote = match (had, has) {
                (_, Some(_)) => quoted.map(Some),
                (Some(_), None) => Some(None),
                (None, None) => None,
            };
            if let Some(offset) = quote {
                effects.quote(Quote { seller_id: seller_id.into(), order_id, offset });
            }
            if let (Some(had), None) = (had, has) {
                effects.endings.extend(had.ending(self.was_granted(seller, key)));
            }
        }
    }

    /// Whether the marketplace struck an order's feedback through, or removed it.
    fn was_granted(&self, seller: SellerNo, key: OrderKey) -> bool {
        let ended = |defect: &Defect| match defect.fact {
            DefectFact::Feedback { status, .. } => {
                matches!(status, FeedbackStatus::StruckThrough | FeedbackStatus::Removed)
            }
            _ => false,
        };
        self.book.defects.get(seller, key).is_some_and(|set| set.iter().any(ended))
    }

    /// Tells every matter of some accounts.
    fn tell_accounts(&mut self, accounts: Vec<AccountNo>, effects: &mut Effects) {
        let boundary_ms = self.book.boundary.ms(self.length);
        for number in accounts {
            let account = self.book.accounts.get(number);
            let mut matters: Vec<Matter> = account
                .with_defects
                .newest_first()
                .flat_map(|(_, key)| self.book.matters(number, key, boundary_ms))
                .collect();
            matters.sort_by(|left, right| name(left).cmp(&name(right)));
            effects.matters.append(&mut matters);
            self.book.accounts.get_mut(number).moved = false;
        }
    }
}

/// Of each order the state before its first change and the last quote, by the first change.
fn first_of_each(mut touched: Vec<Touched>) -> Vec<Touched> {
    if touched.len() < 2 {
        return touched;
    }
    let mut places: Vec<usize> = (0..touched.len()).collect();
    places.sort_by_key(|place| (touched[*place].seller, touched[*place].order, *place));
    let mut firsts = Vec::with_capacity(places.len());
    for place in places {
        let quoted = touched[place].quoted;
        let is_same = |first: &usize| {
            touched[*first].seller == touched[place].seller
                && touched[*first].order == touched[place].order
        };
        match firsts.last().copied().filter(is_same) {
            Some(first) => touched[first].quoted = quoted.or(touched[first].quoted),
            None => firsts.push(place),
        }
    }
    firsts.sort_unstable();
    let mut kept = vec![false; touched.len()];
    for first in firsts {
        kept[first] = true;
    }
    let mut kept = kept.into_iter();
    touched.retain(|_| kept.next().unwrap_or(false));
    touched
}
