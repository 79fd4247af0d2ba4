//! From blocks to a shard: every number is checked before it is used.

use super::bytes::Reader;
use super::{BlockKind, ImageError, codes};
use crate::domain::accounts::NO_MARKETPLACE;
use crate::domain::alerts::{Levels, StatusMark};
use crate::domain::boundary::{Inbox, MarketplaceNo, Position, SellerNo};
use crate::domain::defects::Statement;
use crate::domain::effects::Digest;
use crate::domain::evaluate::digest_of;
use crate::domain::ids::{MarketplaceId, NextOffset, OrderId, RefId, SellerId};
use crate::domain::note::{MAX_NOTE_BYTES, Note};
use crate::domain::orders::{Order, OrderKey, Stated};
use crate::domain::shard::{Alerting, MAX_ACCOUNTS, Shard, ShardConfig};
use crate::domain::time::{Boundary, Day, EventTime, RecordTime};
use crate::domain::window::AccountNo;

/// What the first block states of the others.
#[derive(Clone, Copy, Debug)]
struct Promise {
    accounts: u64,
    defects: u64,
    orders: u64,
    sum: u128,
}

/// A shard that is being built from blocks.
#[derive(Debug)]
pub struct Builder {
    shard: Shard,
    stated: Option<Promise>,
    last: Option<BlockKind>,
    sellers: usize,
    marketplaces: usize,
    accounts: usize,
    odd_ids: usize,
    defects: u64,
    orders: u64,
    /// The last order, and the sellers of the orders with its key.
    last_order: (u64, Vec<SellerNo>),
    with_defects: Vec<(AccountNo, OrderKey)>,
}

impl Builder {
    /// Begins with nothing. Of the configuration, `first` and `start` come from the image instead.
    ///
    /// # Panics
    /// As [`Shard::new`].
    #[must_use]
    pub fn new(config: ShardConfig) -> Self {
        Self {
            shard: Shard::new(config),
            stated: None,
            last: None,
            sellers: 0,
            marketplaces: 0,
            accounts: 0,
            odd_ids: 0,
            defects: 0,
            orders: 0,
            last_order: (0, Vec::new()),
            with_defects: Vec::new(),
        }
    }

    /// Takes in the next block.
    ///
    /// # Errors
    /// As [`ImageError`] says; the builder is then of no use.
    pub fn take(&mut self, kind: BlockKind, block: &[u8]) -> Result<(), ImageError> {
        let mut reader = Reader::new(kind, block);
        let repeats = matches!(kind, BlockKind::Defects | BlockKind::Orders);
        let in_order = match self.last {
            None => kind == BlockKind::State,
            Some(last) => last < kind || (last == kind && repeats),
        };
        if !in_order {
            return Err(reader.error("it is not in its place"));
        }
        self.last = Some(kind);
        match kind {
            BlockKind::State => self.take_state(&mut reader)?,
            BlockKind::Sellers => self.take_sellers(&mut reader)?,
            BlockKind::Marketplaces => self.take_marketplaces(&mut reader)?,
            BlockKind::Accounts => self.take_accounts(&mut reader)?,
            BlockKind::OddIds => self.take_odd_ids(&mut reader)?,
            BlockKind::Defects => self.take_defects(&mut reader)?,
            BlockKind::Orders => self.take_orders(&mut reader)?,
        }
        reader.end()
    }

    /// The whole shard.
    ///
    /// # Errors
    /// As [`ImageError`] says: a block is missing, or what was built is not what was taken.
    pub fn finish(mut self) -> Result<Shard, ImageError> {
        let Some(stated) = self.stated else {
            return Err(ImageError::Incomplete { what: "blocks of state", found: 0, stated: 1 });
        };
        let accounts = u64::try_from(self.accounts).unwrap_or(u64::MAX);
        for (what, found, stated) in [
            ("accounts", accounts, stated.accounts),
            ("defects", self.defects, stated.defects),
            ("orders", self.orders, stated.orders),
        ] {
            if found != stated {
                return Err(ImageError::Incomplete { what, found, stated });
            }
        }
        self.shard.book.list_defects(self.with_defects.into_iter());
        let parts = self.shard.book.accounts.iter().map(|(_, account)| digest_of(account));
        if parts.fold(0, u128::wrapping_add) != stated.sum {
            return Err(ImageError::Differs);
        }
        Ok(self.shard)
    }

    fn take_state(&mut self, reader: &mut Reader<'_>) -> Result<(), ImageError> {
        let shard = &mut self.shard;
        let number = i64::try_from(reader.number()?).map_err(|_| reader.error("the shard"))?;
        let expected = i64::from(shard.shard.get());
        if number != expected {
            return Err(ImageError::Foreign { what: "shard", found: number, expected });
        }
        let (length, expected) = (reader.signed()?, shard.length.ms());
        if length != expected {
            let what = "boundaries of ms";
            return Err(ImageError::Foreign { what, found: length, expected });
        }
        let closed = Boundary::from_number(reader.signed()?);
        shard.closed = Some(closed);
        shard.book.boundary = closed;
        shard.book.orders.set_present(closed.ms(shard.length));
        let as_of = reader.signed()?;
        shard.book.as_of = Some(day(reader, as_of)?);
        shard.book.as_of_before = optional_day(reader)?;
        shard.book.covered_from = optional_day(reader)?;
        shard.last_cycle = optional_day(reader)?.zip(optional_day(reader)?);
        shard.alerting = if reader.flag()? {
            Alerting::Waiting(reader.optional()?.map(Boundary::from_number))
        } else {
            Alerting::On
        };
        shard.seq = reader.number()?;
        shard.digest = Digest(u128::from_le_bytes(reader.bytes()?));
        let mut positions = [Position { next: NextOffset::stated(0), watermark: None }; 4];
        for position in &mut positions {
            position.next = NextOffset::stated(reader.signed()?);
            position.watermark = reader.optional()?.map(RecordTime::from_ms);
        }
        shard.inbox = Inbox::at(shard.length, positions);
        self.stated = Some(Promise {
            accounts: reader.number()?,
            defects: reader.number()?,
            orders: reader.number()?,
            sum: u128::from_le_bytes(reader.bytes()?),
        });
        Ok(())
    }

    fn take_sellers(&mut self, reader: &mut Reader<'_>) -> Result<(), ImageError> {
        self.sellers = reader.count()?;
        if self.sellers > MAX_ACCOUNTS {
            return Err(reader.error("there are too many"));
        }
        let mut last = "";
        for number in 0..self.sellers {
            let text = ascending(reader, &mut last, number == 0)?;
            let id = SellerId::new(text).ok_or(reader.error("it is no id"))?;
            let accounts = &mut self.shard.book.accounts;
            let sought = accounts.seek_seller(id);
            accounts.seller(&sought);
        }
        Ok(())
    }

    fn take_marketplaces(&mut self, reader: &mut Reader<'_>) -> Result<(), ImageError> {
        self.marketplaces = reader.count()?;
        let mut last = "";
        for number in 0..self.marketplaces {
            let text = ascending(reader, &mut last, number == 0)?;
            let id = MarketplaceId::new(text).ok_or(reader.error("it is no id"))?;
            let given = self.shard.book.accounts.marketplace(id);
            if (number == 0) != (given == NO_MARKETPLACE) {
                return Err(reader.error("the first one is not the empty one"));
            }
        }
        Ok(())
    }

    fn take_accounts(&mut self, reader: &mut Reader<'_>) -> Result<(), ImageError> {
        self.accounts = reader.count()?;
        if self.accounts > MAX_ACCOUNTS {
            return Err(reader.error("there are too many"));
        }
        let mut last = None;
        for _ in 0..self.accounts {
            let seller = SellerNo(reader.below(self.sellers)?);
            let marketplace = MarketplaceNo(reader.below(self.marketplaces)?);
            if last >= Some((seller, marketplace)) {
                return Err(reader.error("accounts do not ascend"));
            }
            last = Some((seller, marketplace));
            let bits = reader.byte()?;
            if bits > 31 {
                return Err(reader.error("a flag that nothing writes"));
            }
            let levels = if bits & 8 == 0 { Levels::default() } else { levels(reader)? };
            let book = &mut self.shard.book;
            let number = book.accounts.account(seller, marketplace);
            let status = StatusMark {
                dirty: bits & 1 != 0,
                queued: bits & 2 != 0,
                written: bits & 4 != 0,
                due: false,
            };
            let account = book.accounts.get_mut(number);
            (account.levels, account.status) = (levels, status);
            account.moved = bits & 16 != 0;
            if status.queued {
                self.shard.slots.push(number, book.accounts.name(number));
            }
        }
        Ok(())
    }

    fn take_odd_ids(&mut self, reader: &mut Reader<'_>) -> Result<(), ImageError> {
        self.odd_ids = reader.count()?;
        let mut last = None;
        for _ in 0..self.odd_ids {
            let seller = SellerNo(reader.below(self.sellers)?);
            let text = reader.text()?;
            if last >= Some((seller, text)) {
                return Err(reader.error("ids do not ascend"));
            }
            last = Some((seller, text));
            if !matches!(OrderId::new(text), Some(OrderId::Other(_))) {
                return Err(reader.error("an id is no odd one"));
            }
            self.shard.book.odd_ids.intern(seller, text);
        }
        Ok(())
    }

    fn take_defects(&mut self, reader: &mut Reader<'_>) -> Result<(), ImageError> {
        let count = reader.count()?;
        let mut last = 0;
        for _ in 0..count {
            let order = self.key(reader, &mut last)?;
            let seller = SellerNo(reader.below(self.sellers)?);
            let event_time = EventTime::from_ms(reader.signed()?);
            let fact = codes::to_fact(reader.bytes()?).ok_or(reader.error("it is no fact"))?;
            // Version 1 knows only of the reference.
            let has = reader.byte()?;
            if has > 7 {
                return Err(reader.error("a mark that nothing writes"));
            }
            let reference = if has & 1 != 0 {
                let id = RefId::new(reader.text()?).ok_or(reader.error("it is no reference"))?;
                Some(id.as_str())
            } else {
                None
            };
            let opened = if has & 2 != 0 { opened(reader, event_time)? } else { event_time };
            let note = if has & 4 != 0 { Some(note(reader)?) } else { None };
            let note = note.as_ref();
            let book = &mut self.shard.book;
            let statement = Statement { seller, order, reference, event_time, opened, fact, note };
            if !book.defects.restore(&statement, &book.policy) {
                return Err(reader.error("a defect comes twice"));
            }
            self.defects += 1;
        }
        Ok(())
    }

    fn take_orders(&mut self, reader: &mut Reader<'_>) -> Result<(), ImageError> {
        let count = reader.count()?;
        let as_of = self.shard.book.as_of.expect("the first block has the as-of day");
        // Four columns: reading them side by side takes a reader for each.
        let mut codes = *reader;
        for _ in 0..count {
            reader.byte()?;
        }
        let mut keys = *reader;
        for _ in 0..count {
            reader.number()?;
        }
        let first_ms = reader.signed()?;
        let mut times = *reader;
        for _ in 0..count {
            reader.number()?;
        }
        let mut last = 0;
        for _ in 0..count {
            let key = self.key(&mut keys, &mut last)?;
            let account = AccountNo(reader.below(self.accounts)?);
            let code = codes.byte()?;
            if code >= 54 * 2 {
                return Err(reader.error("a state that nothing writes"));
            }
            let purchase_time = i64::try_from(times.number()?)
                .ok()
                .and_then(|since| first_ms.checked_add(since))
                .map(EventTime::from_ms)
                .filter(|time| self.shard.book.day_in_ring(*time, as_of).is_some())
                .ok_or(reader.error("a purchase lies outside the window"))?;
            let order = Order {
                account,
                purchase_time,
                stated: Stated::from_code(u64::from(code >> 1)),
                has_defects: code & 1 == 1,
            };
            self.note_order(key, account, reader)?;
            if !self.shard.book.restore_order(key, &order, as_of) {
                return Err(reader.error("an order lacks its defects"));
            }
            if order.has_defects {
                self.with_defects.push((account, key));
            }
            self.orders += 1;
        }
        Ok(())
    }

    /// I-4: keys ascend, and orders of one key have different sellers.
    fn note_order(
        &mut self,
        key: OrderKey,
        account: AccountNo,
        reader: &Reader<'_>,
    ) -> Result<(), ImageError> {
        let seller = self.shard.book.accounts.get(account).seller;
        let (last, sellers) = &mut self.last_order;
        if key.bits() < *last || (key.bits() == *last && sellers.contains(&seller)) {
            return Err(reader.error("orders do not ascend"));
        }
        if key.bits() != *last {
            *last = key.bits();
            sellers.clear();
        }
        sellers.push(seller);
        Ok(())
    }

    fn key(&self, reader: &mut Reader<'_>, last: &mut u64) -> Result<OrderKey, ImageError> {
        let bits = last.checked_add(reader.number()?);
        let key = bits.and_then(OrderKey::from_bits);
        let key = key.ok_or(reader.error("it is no order's key"))?;
        *last = key.bits();
        let is_known = key
            .odd_slot()
            .is_none_or(|slot| usize::try_from(slot).is_ok_and(|slot| slot < self.odd_ids));
        if is_known { Ok(key) } else { Err(reader.error("an order's id is missing")) }
    }
}

fn opened(reader: &mut Reader<'_>, event_time: EventTime) -> Result<EventTime, ImageError> {
    let before = i64::try_from(reader.number()?).ok();
    let opened = before.and_then(|before| event_time.ms().checked_sub(before));
    opened.map(EventTime::from_ms).ok_or(reader.error("it is no time"))
}

fn note(reader: &mut Reader<'_>) -> Result<Note, ImageError> {
    let length = reader.count()?;
    if length > MAX_NOTE_BYTES {
        return Err(reader.error("a note is too long"));
    }
    let bytes = reader.slice(length)?;
    Note::new(bytes).ok_or(reader.error("it is no note"))
}

fn levels(reader: &mut Reader<'_>) -> Result<Levels, ImageError> {
    let up = u32::try_from(reader.number()?).ok();
    let mut streaks = [0; 6];
    for streak in &mut streaks {
        let number = u16::try_from(reader.number()?);
        *streak = number.map_err(|_| reader.error("a streak is too long"))?;
    }
    up.and_then(|up| Levels::from_raw(up, streaks)).ok_or(reader.error("a level of no kind"))
}

fn ascending<'a>(
    reader: &mut Reader<'a>,
    last: &mut &'a str,
    is_first: bool,
) -> Result<&'a str, ImageError> {
    let text = reader.text()?;
    if !is_first && text <= *last {
        return Err(reader.error("ids do not ascend"));
    }
    *last = text;
    Ok(text)
}

fn optional_day(reader: &mut Reader<'_>) -> Result<Option<Day>, ImageError> {
    match reader.optional()? {
        Some(number) => Ok(Some(day(reader, number)?)),
        None => Ok(None),
    }
}

fn day(reader: &Reader<'_>, number: i64) -> Result<Day, ImageError> {
    i32::try_from(number).map(Day::from_number).map_err(|_| reader.error("it is no day"))
}
