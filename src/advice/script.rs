//! Characters: which are seen, which end clauses, which look like others, which are pictures.
//!
//! Pure tables. Absent on purpose: words.

/// What a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Picture {
    /// No more than the stars do.
    Face,
    /// Perhaps the contrary of the words.
    Wink,
    /// Something that is not read.
    Thing,
}

/// Whether nothing is seen of a character: zero-width, bidirectional and other format marks.
pub(super) const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{AD}'
            | '\u{34F}'
            | '\u{61C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF9}'..='\u{FFFB}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

/// Whether a character is written for an apostrophe.
pub(super) const fn is_apostrophe(character: char) -> bool {
    matches!(character, '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{2BC}' | '\u{B4}' | '\u{FF07}')
}

/// Whether a character that is not ASCII ends a clause.
pub(super) const fn is_clause_end(character: char) -> bool {
    matches!(
        character,
        '、' | '。'
            | '，'
            | '．'
            | '！'
            | '？'
            | '；'
            | '：'
            | '…'
            | '（'
            | '）'
            | '「'
            | '」'
            | '｡'
            | '､'
            | '\u{BF}'
            | '\u{A1}'
            | '\u{2013}'
            | '\u{2014}'
            | '\u{2022}'
            | '\u{85}'
            | '\u{2028}'
            | '\u{2029}'
    )
}

/// What kind of picture a character is, if it is one.
pub(super) const fn picture(character: char) -> Option<Picture> {
    match character {
        // Upside-down, rolling eyes, tears of joy, smirk, clapping: irony more often than not.
        '\u{1F643}' | '\u{1F644}' | '\u{1F602}' | '\u{1F923}' | '\u{1F60F}' | '\u{1F44F}'
        | '\u{1F609}' => Some(Picture::Wink),
        '\u{1F600}'..='\u{1F64F}'
        | '\u{1F44D}'
        | '\u{1F44E}'
        | '\u{2B50}'
        | '\u{2605}'..='\u{2606}'
        | '\u{1F31F}'
        | '\u{2639}'..='\u{263B}'
        | '\u{1F910}'..='\u{1F917}'
        | '\u{1F920}'..='\u{1F92F}'
        | '\u{1F970}'..='\u{1F97A}'
        | '\u{1F494}'
        | '\u{1F3FB}'..='\u{1F3FF}'
        | '\u{2757}'
        | '\u{2753}'
        | '\u{203C}'
        | '\u{274C}' => Some(Picture::Face),
        '\u{2190}'..='\u{21FF}'
        | '\u{2300}'..='\u{23FF}'
        | '\u{2600}'..='\u{27BF}'
        | '\u{2B00}'..='\u{2BFF}'
        | '\u{1F000}'..='\u{1FAFF}' => Some(Picture::Thing),
        _ => None,
    }
}

/// The Latin letter that a letter of another script looks like.
pub(super) const fn look_alike(character: char) -> Option<char> {
    Some(match character {
        'а' | 'α' => 'a',
        'в' | 'β' | 'ь' => 'b',
        'с' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'ε' | 'є' => 'e',
        'ɡ' => 'g',
        'һ' | 'н' | 'η' => 'h',
        'і' | 'ι' | 'ɩ' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' | 'μ' => 'm',
        'п' => 'n',
        'о' | 'ο' | 'σ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' | 'ц' => 'u',
        'ν' | 'ѵ' => 'v',
        'ш' | 'ω' | 'ѡ' | 'ԝ' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        'ᴢ' => 'z',
        _ => return None,
    })
}

/// Whether a letter is of a script in which no lexicon is written.
pub(super) fn is_foreign(letter: char) -> bool {
    !letter.is_ascii() && letter.is_alphabetic() && !is_latin(letter) && !is_japanese(letter)
}

const fn is_latin(letter: char) -> bool {
    matches!(letter, '\u{AA}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}')
}

/// Kana and the characters of Chinese origin.
pub(super) const fn is_japanese(letter: char) -> bool {
    matches!(
        letter,
        '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}'
    )
}

/// Whether a letter is written in Japanese only.
pub(super) const fn is_kana(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{30FF}')
}
