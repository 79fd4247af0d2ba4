//! The rows of the marketplace's feedback report (`GET_SELLER_FEEDBACK_DATA`).
//!
//! Tab-delimited, in the order Date, Rating, Comments, Response, Order ID, Rater Email; the first
//! line may name the columns, in any language. Who rated is dropped as it is read.

/// What a row says, without the comment and without who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The day, as it is written: its form is the marketplace's.
    pub date: String,
    /// 1 to 5 stars.
    pub rating: u8,
    /// The order.
    pub order: String,
}

impl Row {
    /// Whether the feedback counts as a defect: one or two stars.
    pub(super) fn is_negative((row, _): &(Self, String)) -> bool {
        row.rating <= 2
    }
}

/// The rows with their comments.
///
/// # Errors
/// The number of the first line that is no row, and why.
pub(super) fn rows(text: &str) -> Result<Vec<(Row, String)>, (usize, String)> {
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        let columns: Vec<&str> = line.split('\t').map(unquoted).collect();
        let [date, rating, comment, _response, order, ..] = columns[..] else {
            let count = columns.len();
            return Err((number, format!("{count} columns instead of at least 5, parted by tabs")));
        };
        let rating = match rating.trim().as_bytes() {
            [digit @ b'1'..=b'5'] => digit - b'0',
            _ if number == 1 => continue,
            _ => return Err((number, "the second column is no rating from 1 to 5".to_owned())),
        };
        let row = Row { date: date.trim().to_owned(), rating, order: order.trim().to_owned() };
        rows.push((row, comment.replace("\"\"", "\"")));
    }
    Ok(rows)
}

fn unquoted(column: &str) -> &str {
    let inner = column.strip_prefix('"').and_then(|column| column.strip_suffix('"'));
    inner.unwrap_or(column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_by_position_with_or_without_names() {
        let text = "Fecha\tPuntos\tComentarios\tRespuesta\tPedido\tCorreo\n\
                    1/2/26\t1\t\"Never \"\"came\"\"\"\t\t111-1111111-1111111\tx@y\n\n\
                    2026/01/03\t3\tok\tthanks\t222-2222222-2222222\tz@y\r\n";
        let read = rows(text).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].1, "Never \"came\"");
        assert_eq!(read[0].0.order, "111-1111111-1111111");
        assert!(Row::is_negative(&read[0]) && !Row::is_negative(&read[1]));
        assert!(!format!("{read:?}").contains('@'));
    }

    #[test]
    fn what_is_no_row_is_told_with_its_line() {
        assert_eq!(rows("a\tb").unwrap_err().0, 1);
        let (line, what) = rows("d\t1\tc\tr\to\nd\t7\tc\tr\to").unwrap_err();
        assert_eq!((line, what.contains("rating")), (2, true));
    }
}
