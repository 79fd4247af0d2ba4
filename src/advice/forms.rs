//! The forms of personal data: expressions for addresses, numbers, handles and names.
//!
//! Invariant: all are of the `regex` crate, whose time is linear in the text whatever it holds, and
//! every repetition in them is bounded. Borders of words are those of ASCII: the others would send
//! Japanese through an engine that is fifty times slower. Absent on purpose: whose the data are,
//! see `personal`.

use std::sync::LazyLock;

use regex::Regex;

use super::script;

/// The expressions for forms of personal data.
pub(super) struct Forms {
    pub e_mail: Regex,
    pub telephone: Regex,
    pub calls: Regex,
    pub no_telephone: Regex,
    pub streets: [Regex; 9],
    pub spelt: Regex,
    pub handle: Regex,
    pub lone_handle: Regex,
    pub shop: Regex,
    pub name: Regex,
    pub japanese_name: Regex,
}

/// The expressions, compiled once.
pub(super) fn forms() -> &'static Forms {
    static FORMS: LazyLock<Forms> = LazyLock::new(|| {
        let new = |expression: &str| {
            Regex::new(expression).expect("the expressions are right; tests use them all")
        };
        Forms {
            e_mail: new(E_MAIL),
            telephone: new(r"\+?\(?\d[\d\s()./\-\u{2010}\u{2011}]{4,24}\d"),
            calls: new(CALLS),
            no_telephone: new(NO_TELEPHONE),
            streets: STREETS.map(new),
            spelt: new(SPELT),
            handle: new(HANDLE),
            lone_handle: new(r"(?:^|\s)(@[\p{L}\d_][\p{L}\d_.]{3,30})"),
            shop: new(SHOP),
            name: new(NAME),
            japanese_name: new(JAPANESE_NAME),
        }
    });
    &FORMS
}

const E_MAIL: &str = concat!(
    r"(?i)[a-z0-9._%+-]{1,64}(?:@|\s?[(\[{]\s?(?:at|a|ät|\x40|arroba|chiocciola|arobase)",
    r"\s?[)\]}]\s?)[a-z0-9-]{1,63}(?:(?:\.|\s?[(\[{]\s?(?:dot|punkt|point|punto|ponto)\s",
    r"?[)\]}]\s?)[a-z0-9-]{2,24}){1,4}|[a-z0-9._-]{2,64}\s(?:at|ät|arroba|chiocciola|aro",
    r"base)\s[a-z0-9-]{2,63}\s(?:dot|punkt|point|punto|ponto)\s[a-z]{2,10}",
);

const CALLS: &str = concat!(
    r"(?i)phone|(?-u:\b)tel(?-u:\b)|(?-u:\b)tel\.|telef|tél|call|cell|mobile|handy|(?-u:",
    r"\b)zap(?-u:\b)|whats\s?app|(?-u:\b)sms(?-u:\b)|number|nummer|numéro|número|numero|",
    r"(?-u:\b)ring|rief|anruf|portable|móvil|celular|fax|hotline|signal|viber|decroche|d",
    r"écroche|contesta|atende|risponde|erreich|geht .{0,40} ran|電話|携帯|番号|tele",
);

/// Six digits or more, as words.
const SPELT: &str = concat!(
    r"(?i)(?-u:\b)(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|trip",
    r"le|null|eins|zwei|zwo|drei|vier|fünf|sechs|sieben|acht|neun|zéro|un|deux|trois|qua",
    r"tre|cinq|sept|huit|neuf|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|due|t",
    r"re|quattro|cinque|sei|sette|otto|nove|um|dois|três|quatro|sete|oito|meia)(?-u:\b)[",
    r"\s,.-]{1,3}){5,20}\p{L}{2,6}(?-u:\b)|(?:[〇零一二三四五六七八九]{2,5}[-－ー・の\s]){1,3}[〇零一二三四五六",
    r"七八九]{3,5}",
);

const NO_TELEPHONE: &str = concat!(
    r"(?i)(?:order|tracking|parcel|model|serial|isbn|asin|sku|invoice|reference|ref|item",
    r"|article|bestell\w*|sendungs\w*|auftrag\w*|rechnung\w*|commande|suivi|pedido|segui",
    r"miento|rastre\w*|ordine|spedizione|注文|追跡|伝票|型番)[\w .:#№º°号-]{0,16}$",
);

const STREETS: [&str; 9] = [
    concat!(
        r"(?i)(?-u:\b)\d{1,5}[a-z]?,?\s(?:[\p{L}'.-]+\s){1,3}(?:street|st|road|rd|avenue|ave",
        r"|lane|ln|drive|dr|boulevard|blvd|way|court|ct|close|crescent|terrace|square|place|",
        r"row|walk|hill|gardens|grove|parkway|highway|circle|mews|yard|parade|quay|wharf|ris",
        r"e|green|alley|trail|loop|plaza|bank|gate|park|view|vale)(?-u:\b)",
    ),
    concat!(
        r"(?i)(?-u:\b)[\p{L}-]{2,30}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|",
        r"ufer|chaussee|steig|pfad|markt|hof)\s\d{1,4}\s?[a-z]?(?-u:\b)|(?-u:\b)(?:am|an der",
        r"|auf der|auf dem|im|in der|zum|zur)\s\p{L}{3,20}\s\d{1,3}[a-z]?,\s\d{4,5}",
    ),
    concat!(
        r"(?i)(?-u:\b)\d{1,4}\s?(?:bis|ter)?,?\s(?:rue|avenue|av\.|boulevard|bd|chemin|impas",
        r"se|place|allée|allee|route|quai|cours|square|passage|sentier|ruelle)\s[\p{L}'’-]+",
    ),
    concat!(
        r"(?i)(?:(?-u:\b)calle|(?-u:\b)c/|(?-u:\b)avenida|(?-u:\b)avda\.?|(?-u:\b)av\.|(?-u:",
        r"\b)plaza|(?-u:\b)paseo|(?-u:\b)camino|(?-u:\b)carrera|(?-u:\b)carretera|(?-u:\b)ro",
        r"nda|(?-u:\b)travesía|(?-u:\b)callejón)\s[\p{L}\s.º'-]{2,40},?\s(?:n\.?[ºo°]\s?|núm",
        r"ero\s|#\s?)?\d{1,4}(?-u:\b)",
    ),
    concat!(
        r"(?i)(?-u:\b)(?:via|viale|piazza|corso|vicolo|largo|strada|rua|travessa|avenida|av\",
        r".|alameda|praça|praca|estrada|rodovia|ladeira)\s[\p{L}\s.'’-]{2,40},?\s(?:n\.?[ºo°",
        r"]?\s?)?\d{1,5}(?-u:\b)",
    ),
    concat!(
        r"〒\s?\d{3}-?\d{4}|\p{Han}{2,3}[都道府県][\p{Han}\p{Hiragana}\p{Katakana}ー]{1,10}[市区町村郡]",
        r"[\p{Han}\p{Hiragana}\p{Katakana}ー]{0,12}\s?[\d一二三四五六七八九十]{1,4}(?:[-丁番の]\d{0,4}){0,",
        r"3}",
    ),
    concat!(
        r"(?i)(?-u:\b)(?:p\.?\s?o\.?\s?box|postfach|boîte postale|bp|apartado(?: de correos|",
        r" postal)?|casella postale|caixa postal)\s?(?:n[ºo°]\s?)?\d{1,6}|私書箱",
    ),
    r"(?-u:\b)\d{1,4}[a-z]?,?\s(?:\p{Lu}[\p{L}'’-]+\s?){2,4},\s\p{Lu}",
    concat!(
        r"\p{Lu}[\p{L}'’.-]+(?:\s\p{L}[\p{L}'’.-]*){0,4},?\s\d{1,4}\s?[a-z]?,?\s(?:[\d.º]{1,",
        r"3}\s?\p{L}{0,2},\s)?\d{4,5}(?:-\d{3})?\s\p{Lu}",
    ),
];

const HANDLE: &str = concat!(
    r"(?i)(?:whats\s?app|telegram|we\s?chat|weixin|insta(?:gram)?|(?-u:\b)ig|skype|viber",
    r"|signal|facebook|(?-u:\b)fb|messenger|threema|(?:^|[^a-z])line|kakao(?:talk)?|snap",
    r"chat|(?-u:\b)snap|tiktok|twitter|threads|mastodon|bluesky|discord|zalo|(?-u:\b)qq|",
    r"(?-u:\b)vk|微信|ライン|インスタ|テレグラム)\W{0,3}(?:(?:id|user|name|account|handle|nick|konto|c",
    r"ompte|cuenta|conta|is|ist|est|es|è|é|au|al)(?-u:\b))?(?:(?:\s\p{L}{2,8}){1,3}\s?:)",
    r"?[\s:「『(@\x22'„“”«-]{0,4}(?:は|が|の)?(?:(as|under|unter|als|sous|comme|como|come|pse",
    r"udo|named|named as|user|id)\s)?[「『\x22'„“]?(@?[a-z0-9][a-z0-9_.-]{3,30})|(?:t\.me|",
    r"wa\.me|instagram\.com|facebook\.com|fb\.me|m\.me|twitter\.com|x\.com|tiktok\.com)/",
    r"()(@?[a-z0-9_.-]{3,40})",
);

const SHOP: &str = concat!(
    r"(?i)(?:https?://|www\.)[^\s]{3,200}|(?-u:\b)[a-z0-9-]{2,63}\.(?:com|net|org|shop|s",
    r"tore|biz|info|de|fr|es|it|eu|co\.uk|uk|co\.jp|jp|com\.br|pt|cn|example)(?-u:\b)",
);

const NAME: &str = concat!(
    r"\p{Lu}[\p{L}'’-]+(?:\s\p{Lu}\.)?(?:\s(?:de|da|do|dos|del|della|di|von|van|der|la|l",
    r"e))?(?:\s\p{Lu}[\p{L}'’-]+){0,2}",
);

const JAPANESE_NAME: &str = concat!(
    r"(?:店主|店長|社長|代表者?|オーナー|出品者|販売者|販売元|担当者?|責任者|経営者|従業員|店員|名前)(?:の名前)?[のはがも、：:]?\s?(\p{",
    r"Han}{1,5}[\s　]?\p{Han}{0,5}|[\p{Katakana}ー]{2,8}[・＝][\p{Katakana}ー]{2,8})(?:さん|様|氏",
    r"|という|と名乗|です|だ|[にがはで。、！]|\s|$)|(\p{Han}{2,4})という(?:人|者|担当|男|女)|(\p{Han}{2,4}[\s　]\p",
    r"{Han}{1,4})(?:さん|様|氏|という|と名乗|です|に)",
);

/// Full-width forms as plain ones, with the way back; `None` where nothing differs.
pub(super) fn plain(read: &str) -> Option<(String, Vec<(usize, usize)>)> {
    let is_wide = |character: char| matches!(character, '\u{FF01}'..='\u{FF5E}' | '\u{3000}');
    let is_odd = |character: char| is_wide(character) || script::is_invisible(character);
    if !read.chars().any(is_odd) {
        return None;
    }
    let mut plain = String::with_capacity(read.len());
    let mut back = Vec::with_capacity(read.len());
    for (start, character) in read.char_indices() {
        if script::is_invisible(character) {
            continue;
        }
        let narrow = match character {
            '\u{3000}' => ' ',
            '\u{FF01}'..='\u{FF5E}' => {
                char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character)
            }
            other => other,
        };
        plain.push(narrow);
        let place = (start, start + character.len_utf8());
        back.extend(std::iter::repeat_n(place, narrow.len_utf8()));
    }
    Some((plain, back))
}

/// The marketplace's order numbers: three, seven and seven digits.
pub(super) fn is_order(written: &str) -> bool {
    let mut parts = written.trim().split('-').map(str::trim);
    let lengths = [parts.next(), parts.next(), parts.next()].map(|part| part.map_or(0, str::len));
    lengths == [3, 7, 7]
}

/// Days and years: 2026-01-02, 02.01.2026, 2019 2020.
pub(super) fn is_date(written: &str) -> bool {
    let mut parts = written.split(['-', '.', '/', ' ']).filter(|part| !part.is_empty());
    let is_year =
        |part: &str| part.len() == 4 && (part.starts_with("19") || part.starts_with("20"));
    let count = parts.clone().count();
    count >= 2 && parts.clone().any(is_year) && parts.all(|part| part.len() <= 4)
}

/// Whether a folded text has so many words for digits that they may be a number.
pub(super) fn has_spelt_digits(folded: &str) -> bool {
    const DIGITS: [&str; 49] = [
        "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
        "null", "eins", "zwei", "zwo", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun",
        "un", "deux", "trois", "quatre", "cinq", "sept", "huit", "neuf", "cero", "uno", "dos",
        "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "due", "tre", "quattro",
        "sette", "otto", "um", "dois", "quatro", "meia",
    ];
    let words = folded.split(' ').filter(|word| word.len() <= 7 && DIGITS.contains(word));
    words.take(5).count() == 5 || folded.contains(['〇', '零']) || has_kanji_digits(folded)
}

fn has_kanji_digits(folded: &str) -> bool {
    let is_digit = |letter: &char| {
        matches!(letter, '一' | '二' | '三' | '四' | '五' | '六' | '七' | '八' | '九')
    };
    !folded.is_ascii() && folded.chars().filter(is_digit).take(5).count() == 5
}
