//! An image as blocks: sorted, numbered anew, and written.

use super::bytes::{put, put_count, put_optional, put_signed, put_text};
use super::taking::{Image, Names, TakenOrder, Texts};
use super::{BLOCK_ENTRIES, BlockKind};
use crate::domain::ids::index;
use crate::domain::orders::OrderKey;
use crate::domain::shard::Alerting;

/// The new number of each old one.
type Renumbered = Vec<u32>;

impl Image {
    /// Hands over the blocks, in order. Sorts first, which takes a while for millions of orders.
    pub fn write(mut self, each: &mut dyn FnMut(BlockKind, &[u8])) {
        let sellers = sort_names(&mut self.sellers, &self.texts);
        let marketplaces = sort_names(&mut self.marketplaces, &self.texts);
        let accounts = self.sort_accounts(&sellers, &marketplaces);
        let odd_ids = self.sort_odd_ids(&sellers);
        self.sort_defects(&sellers, &odd_ids);
        self.sort_orders(&accounts, &odd_ids);
        let mut out = Vec::new();
        self.write_state(&mut out);
        each(BlockKind::State, &out);
        for (kind, names) in
            [(BlockKind::Sellers, &self.sellers), (BlockKind::Marketplaces, &self.marketplaces)]
        {
            out.clear();
            put_count(&mut out, names.texts.len());
            for text in &names.texts {
                put_text(&mut out, self.texts.get(*text));
            }
            each(kind, &out);
        }
        out.clear();
        self.write_accounts(&mut out);
        each(BlockKind::Accounts, &out);
        out.clear();
        self.write_odd_ids(&mut out);
        each(BlockKind::OddIds, &out);
        self.write_defects(&mut out, each);
        for orders in self.orders.chunks(BLOCK_ENTRIES) {
            out.clear();
            write_orders(orders, &mut out);
            each(BlockKind::Orders, &out);
        }
    }

    fn sort_accounts(&mut self, sellers: &Renumbered, marketplaces: &Renumbered) -> Renumbered {
        for account in &mut self.accounts {
            account.seller = renumber(sellers, account.seller);
            account.marketplace = renumber(marketplaces, account.marketplace);
        }
        self.accounts.sort_unstable_by_key(|account| (account.seller, account.marketplace));
        renumbered(self.accounts.iter().map(|account| account.number.0))
    }

    fn sort_odd_ids(&mut self, sellers: &Renumbered) -> Renumbered {
        for id in &mut self.odd_ids {
            id.seller = renumber(sellers, id.seller);
        }
        let texts = &self.texts;
        self.odd_ids.sort_unstable_by(|left, right| {
            let key = |id: &super::taking::TakenOddId| (id.seller, texts.get(id.text));
            key(left).cmp(&key(right))
        });
        renumbered(self.odd_ids.iter().map(|id| id.slot))
    }

    fn sort_defects(&mut self, sellers: &Renumbered, odd_ids: &Renumbered) {
        for defect in &mut self.defects {
            defect.seller = renumber(sellers, defect.seller);
            defect.key = rekey(odd_ids, defect.key);
        }
        let texts = &self.texts;
        self.defects.sort_unstable_by(|left, right| {
            let key = |defect: &super::taking::TakenDefect| {
                let reference = defect.reference.map(|text| texts.get(text));
                (defect.key, defect.seller, defect.codes[0], reference)
            };
            key(left).cmp(&key(right))
        });
    }

    fn sort_orders(&mut self, accounts: &Renumbered, odd_ids: &Renumbered) {
        for order in &mut self.orders {
            order.account = renumber(accounts, order.account);
            order.key = rekey(odd_ids, order.key);
        }
        self.orders.sort_unstable_by_key(|order| (order.key, order.account));
    }

    fn write_state(&self, out: &mut Vec<u8>) {
        let single = &self.single;
        put(out, u64::from(single.shard));
        put_signed(out, single.length.ms());
        put_signed(out, single.closed.number());
        put_signed(out, i64::from(single.as_of.number()));
        let day = |day: crate::domain::time::Day| i64::from(day.number());
        put_optional(out, single.as_of_before.map(day));
        put_optional(out, single.covered_from.map(day));
        put_optional(out, single.last_cycle.map(|(first, _)| day(first)));
        put_optional(out, single.last_cycle.map(|(_, last)| day(last)));
        match single.alerting {
            Alerting::On => out.push(0),
            Alerting::Waiting(start) => {
                out.push(1);
                put_optional(out, start.map(crate::domain::time::Boundary::number));
            }
        }
        put(out, single.seq);
        out.extend_from_slice(&single.digest.0.to_le_bytes());
        for position in single.positions {
            put_signed(out, position.next.get());
            put_optional(out, position.watermark.map(crate::domain::time::RecordTime::ms));
        }
        for count in [self.accounts.len(), self.defects.len(), self.orders.len()] {
            put_count(out, count);
        }
        out.extend_from_slice(&self.sum.to_le_bytes());
    }

    fn write_accounts(&self, out: &mut Vec<u8>) {
        put_count(out, self.accounts.len());
        for account in &self.accounts {
            put(out, u64::from(account.seller));
            put(out, u64::from(account.marketplace));
            let [dirty, queued, written, moved] = account.status.map(u8::from);
            let is_quiet = account.up == 0 && account.streaks == [0; 6];
            let marks = dirty | queued << 1 | written << 2 | moved << 4;
            out.push(marks | u8::from(!is_quiet) << 3);
            if !is_quiet {
                put(out, u64::from(account.up));
                for streak in account.streaks {
                    put(out, u64::from(streak));
                }
            }
        }
    }

    fn write_odd_ids(&self, out: &mut Vec<u8>) {
        put_count(out, self.odd_ids.len());
        for id in &self.odd_ids {
            put(out, u64::from(id.seller));
            put_text(out, self.texts.get(id.text));
        }
    }

    fn write_defects(&self, out: &mut Vec<u8>, each: &mut dyn FnMut(BlockKind, &[u8])) {
        for defects in self.defects.chunks(BLOCK_ENTRIES) {
            out.clear();
            put_count(out, defects.len());
            let mut last = 0;
            for defect in defects {
                put(out, defect.key - last);
                last = defect.key;
                put(out, u64::from(defect.seller));
                put_signed(out, defect.event_time_ms);
                out.extend_from_slice(&defect.codes);
                let has = [
                    defect.reference.is_some(),
                    defect.opened_before_ms > 0,
                    defect.note.is_some(),
                ];
                let [reference, opened, note] = has.map(u8::from);
                out.push(reference | opened << 1 | note << 2);
                if let Some(reference) = defect.reference {
                    put_text(out, self.texts.get(reference));
                }
                if defect.opened_before_ms > 0 {
                    put(out, defect.opened_before_ms);
                }
                if let Some(note) = &defect.note {
                    put_count(out, note.as_bytes().len());
                    out.extend_from_slice(note.as_bytes());
                }
            }
            each(BlockKind::Defects, out);
        }
    }
}

/// Orders as columns: alike stands beside alike, which packs better.
fn write_orders(orders: &[TakenOrder], out: &mut Vec<u8>) {
    put_count(out, orders.len());
    out.extend(orders.iter().map(|order| order.code));
    let mut last = 0;
    for order in orders {
        put(out, order.key - last);
        last = order.key;
    }
    let first_ms = orders.iter().map(|order| order.purchase_ms).min().unwrap_or(0);
    put_signed(out, first_ms);
    for order in orders {
        put(out, order.purchase_ms.abs_diff(first_ms));
    }
    for order in orders {
        put(out, u64::from(order.account));
    }
}

/// Sorts names and tells the new number of each.
fn sort_names(names: &mut Names, texts: &Texts) -> Renumbered {
    let count = u32::try_from(names.texts.len()).expect("the caps keep numbers below 2^32");
    let mut order: Vec<u32> = (0..count).collect();
    let text = |number: &u32| names.texts[index(*number)];
    order.sort_unstable_by(|left, right| texts.get(text(left)).cmp(texts.get(text(right))));
    names.texts = order.iter().map(text).collect();
    renumbered(order.into_iter())
}

/// From old numbers in their new order to the new number of each old one.
fn renumbered(in_order: impl Iterator<Item = u32> + Clone) -> Renumbered {
    let length = in_order.clone().max().map_or(0, |last| index(last) + 1);
    let mut numbers = vec![0; length];
    for (new, old) in (0..).zip(in_order) {
        numbers[index(old)] = new;
    }
    numbers
}

fn renumber(numbers: &Renumbered, old: u32) -> u32 {
    numbers[index(old)]
}

fn rekey(odd_ids: &Renumbered, key: u64) -> u64 {
    match OrderKey::from_bits(key).and_then(OrderKey::odd_slot) {
        Some(slot) => OrderKey::odd(renumber(odd_ids, slot)).bits(),
        None => key,
    }
}
