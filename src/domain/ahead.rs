//! Looks ahead in what waits, so that the memory accesses of many merges overlap.
//!
//! A merge reads a line of the order index, its seller, its account and a bucket, and each place is
//! known only when the one before was read: done one by one, nearly all of the time is waiting.
//! Here the places of a batch of records are fetched in stages; within a stage no access waits for
//! another one.
//!
//! ```text
//! stage 0   index line, seller          of 32 records
//! stage 1   account                     of 32 records
//! stage 2   bucket, set of defects      of 32 records       then they are merged, one by one
//! ```
//!
//! The orders' lane is fetched beyond the boundary that is being closed: the next one follows in a
//! moment wherever there is enough work for this to matter. Records of the other topics may wait
//! for long, so only those of the boundary are fetched.
//!
//! Absent on purpose: any effect. Looking ahead changes nothing but time.

use super::book::Book;
use super::boundary::{Inbox, Waiting, WaitingDefect, WaitingOrder, WaitingOrderId};
use super::event::Topic;
use super::orders::prefetch::Places;
use super::orders::{Order, OrderKey};
use super::window::AccountNo;

/// Records of a topic that are fetched together.
const BATCH: usize = 32;

/// What was fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct LookAhead {
    /// By topic: records at the front of the lane that were fetched.
    fetched: [usize; 4],
    places: Places,
}

impl LookAhead {
    /// Says that a topic's first record is taken next; `left` are left in the boundary, by topic.
    pub(crate) fn step(&mut self, topic: Topic, inbox: &Inbox, book: &Book, left: [usize; 4]) {
        if self.fetched[topic.index()] == 0 {
            self.fetch(inbox, book, left);
        }
        self.fetched[topic.index()] -= 1;
    }

    /// Fetches the next batch of every topic that has nothing fetched.
    fn fetch(&mut self, inbox: &Inbox, book: &Book, left: [usize; 4]) {
        let mut batch = [0; 4];
        for topic in Topic::ALL {
            if self.fetched[topic.index()] == 0 {
                let reach = match topic {
                    Topic::Orders => inbox.waiting_of(topic),
                    _ => left[topic.index()],
                };
                batch[topic.index()] = reach.min(BATCH);
            }
        }
        let records = || {
            let of = |topic: Topic| inbox.waiting_first(topic, batch[topic.index()]);
            Topic::ALL.into_iter().flat_map(of)
        };
        for place in [Book::place_order, Book::place_account, Book::place_bucket] {
            records().for_each(|record| place(book, record, &mut self.places));
            self.places.fetch();
        }
        for (fetched, batch) in self.fetched.iter_mut().zip(batch) {
            *fetched += batch;
        }
    }
}

impl Book {
    /// The first line of an order in the index, and its seller.
    fn place_order(&self, record: &Waiting, places: &mut Places) {
        let (Waiting::Order(WaitingOrder { seller, order, .. })
        | Waiting::Defect(WaitingDefect { seller, order, .. })) = record
        else {
            return;
        };
        if let WaitingOrderId::Amazon(number) = order {
            self.orders.place(self.orders.hash(OrderKey::amazon(*number)), places);
        }
        self.accounts.place_of_seller(*seller, places);
    }

    /// The account that an order is most likely in.
    fn place_account(&self, record: &Waiting, places: &mut Places) {
        if let Some(account) = self.likely_account(record) {
            self.accounts.place(account, places);
        }
    }

    /// The bucket that an order most likely changes, and the defects of an order.
    fn place_bucket(&self, record: &Waiting, places: &mut Places) {
        let Some(account) = self.likely_account(record).and_then(|of| self.accounts.try_get(of))
        else {
            return;
        };
        let purchase_time = match record {
            Waiting::Order(order) => Some(order.purchase_time),
            Waiting::Defect(defect) => {
                let order = self.likely_order(defect);
                if let Some((key, _)) = order {
                    self.defects.touch(defect.seller, key);
                }
                account.with_defects.place(places);
                order.map(|(_, order)| order.purchase_time)
            }
            Waiting::Dead(..) | Waiting::Tombstone => None,
        };
        if let Some(time) = purchase_time {
            account.place_of_day(self.shape.place(self.day_of(time)), places);
        }
    }

    fn likely_account(&self, record: &Waiting) -> Option<AccountNo> {
        match record {
            Waiting::Order(order) => self.accounts.first_of(order.seller),
            Waiting::Defect(defect) => self.likely_order(defect).map(|(_, order)| order.account),
            Waiting::Dead(..) | Waiting::Tombstone => None,
        }
    }

    fn likely_order(&self, defect: &WaitingDefect) -> Option<(OrderKey, Order)> {
        let WaitingOrderId::Amazon(number) = defect.order else { return None };
        let key = OrderKey::amazon(number);
        Some((key, self.orders.find(self.orders.hash(key), key, |_| true)?))
    }
}
