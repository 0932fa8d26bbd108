//! One row for each claim about a number: what is written, and what is read out of it.

use proptest::prelude::*;

use super::*;

#[test]
fn toll_free_numbers_of_plus_1_are_shared() {
    for (number, is_shared) in [
        ("+18885550105", true),
        ("+18005550105", true),
        ("+14155550105", false),
        ("+16045550105", false),
        ("+448001111111", false),
        ("+80012345678", false),
    ] {
        let number = PhoneNumber::parse(number).unwrap();
        assert_eq!(number.is_shared_toll_free(), is_shared, "{number}");
    }
}
use NumberKind::{FixedLine, FixedLineOrMobile, Mobile, Other, PremiumRate, TollFree, Unknown};

/// E.164, country, area code (US and Canada only), kind.
type Row = (&'static str, Option<&'static str>, Option<u16>, NumberKind);

/// The numbers of our documentation, demo and selection tests. All are fictional, and the plan does
/// not know most of the ranges; they must work all the same.
#[rustfmt::skip]
const FICTIONAL: &[Row] = &[
    ("+14155550101",   Some("US"), Some(415), FixedLineOrMobile),
    ("+14155550199",   Some("US"), Some(415), FixedLineOrMobile),
    ("+16285550102",   Some("US"), Some(628), FixedLineOrMobile),
    ("+12125550103",   Some("US"), Some(212), FixedLineOrMobile),
    ("+12125550199",   Some("US"), Some(212), FixedLineOrMobile),
    ("+19175550104",   Some("US"), Some(917), FixedLineOrMobile),
    ("+17185550199",   Some("US"), Some(718), FixedLineOrMobile),
    ("+18885550105",   Some("US"), None,      TollFree),
    ("+14165550106",   Some("CA"), Some(416), FixedLineOrMobile),
    ("+16475550199",   Some("CA"), Some(647), FixedLineOrMobile),
    ("+16045550107",   Some("CA"), Some(604), FixedLineOrMobile),
    ("+447700900101",  Some("GB"), None,      Unknown),
    ("+447700900102",  Some("GB"), None,      Unknown),
    ("+447700900199",  Some("GB"), None,      Unknown),
    ("+4915110000001", Some("DE"), None,      Mobile),
    ("+4915110000099", Some("DE"), None,      Mobile),
    ("+33700000001",   Some("FR"), None,      Unknown),
    ("+33700000099",   Some("FR"), None,      Unknown),
    ("+18765550108",   Some("JM"), None,      FixedLineOrMobile),
    ("+17875550199",   Some("PR"), None,      FixedLineOrMobile),
    ("+971500000099",  Some("AE"), None,      Mobile),
    ("+5511999990000", Some("BR"), None,      Mobile),
    // An area code that nobody has, as in many examples.
    ("+15551234567",   Some("US"), None,      Unknown),
];

#[rustfmt::skip]
const NORTH_AMERICA: &[Row] = &[
    ("+18005551212",   Some("US"), None,      TollFree),
    ("+18335551212",   Some("US"), None,      TollFree),
    ("+18445551212",   Some("US"), None,      TollFree),
    ("+18555551212",   Some("US"), None,      TollFree),
    ("+18665551212",   Some("US"), None,      TollFree),
    ("+18775551212",   Some("US"), None,      TollFree),
    ("+18885551212",   Some("US"), None,      TollFree),
    ("+19005551212",   Some("US"), None,      PremiumRate),
    ("+15005550006",   Some("US"), None,      Other),
    ("+16005551212",   Some("CA"), None,      Other),
    ("+17105551212",   Some("US"), None,      Other),
    ("+19395551212",   Some("PR"), None,      FixedLineOrMobile),
    ("+16585551212",   Some("JM"), None,      FixedLineOrMobile),
    ("+18095551212",   Some("DO"), None,      FixedLineOrMobile),
    ("+18685551212",   Some("TT"), None,      FixedLineOrMobile),
    ("+13405551212",   Some("VI"), None,      FixedLineOrMobile),
    ("+16715551212",   Some("GU"), None,      FixedLineOrMobile),
    ("+14415551212",   Some("BM"), None,      FixedLineOrMobile),
    ("+18675551212",   Some("CA"), Some(867), FixedLineOrMobile),
    ("+19075551212",   Some("US"), Some(907), FixedLineOrMobile),
    ("+18085551212",   Some("US"), Some(808), FixedLineOrMobile),
];

/// Country codes with more than one country.
#[rustfmt::skip]
const SHARED: &[Row] = &[
    ("+79161234567",   Some("RU"), None, Mobile),
    ("+74951234567",   Some("RU"), None, FixedLine),
    ("+77011234567",   Some("KZ"), None, Mobile),
    ("+77172123456",   Some("KZ"), None, FixedLine),
    ("+393331234567",  Some("IT"), None, Mobile),
    ("+390612345678",  Some("IT"), None, FixedLine),
    ("+390669812345",  Some("VA"), None, FixedLine),
    ("+442079460958",  Some("GB"), None, FixedLine),
    ("+447400123456",  Some("GB"), None, Mobile),
    ("+449098790879",  Some("GB"), None, PremiumRate),
    ("+448081570192",  Some("GB"), None, TollFree),
    ("+441481256789",  Some("GG"), None, FixedLine),
    ("+447781123456",  Some("GG"), None, Mobile),
    ("+447797712345",  Some("JE"), None, Mobile),
    ("+447624123456",  Some("IM"), None, Mobile),
    ("+4741234567",    Some("NO"), None, Mobile),
    ("+4779123456",    Some("SJ"), None, FixedLine),
    ("+61412345678",   Some("AU"), None, Mobile),
    ("+61891641234",   Some("CX"), None, FixedLine),
    ("+61891621234",   Some("CC"), None, FixedLine),
    ("+212650123456",  Some("MA"), None, Mobile),
    ("+262692123456",  Some("RE"), None, Mobile),
    ("+262639012345",  Some("YT"), None, Mobile),
    ("+358401234567",  Some("FI"), None, Mobile),
    ("+35818123456",   Some("AX"), None, FixedLine),
    ("+590690001234",  Some("GP"), None, Mobile),
    ("+59995181234",   Some("CW"), None, Mobile),
    ("+5997181234",    Some("BQ"), None, FixedLine),
];

#[rustfmt::skip]
const ELSEWHERE: &[Row] = &[
    ("+33612345678",   Some("FR"), None, Mobile),
    ("+33899123456",   Some("FR"), None, PremiumRate),
    ("+31612345678",   Some("NL"), None, Mobile),
    ("+34612345678",   Some("ES"), None, Mobile),
    ("+41781234567",   Some("CH"), None, Mobile),
    ("+43664123456",   Some("AT"), None, Mobile),
    ("+46701234567",   Some("SE"), None, Mobile),
    ("+48512345678",   Some("PL"), None, Mobile),
    ("+353850123456",  Some("IE"), None, Mobile),
    ("+905012345678",  Some("TR"), None, Mobile),
    ("+919876543210",  Some("IN"), None, Mobile),
    ("+8613123456789", Some("CN"), None, Mobile),
    ("+819012345678",  Some("JP"), None, Mobile),
    ("+85251234567",   Some("HK"), None, Mobile),
    ("+6581234567",    Some("SG"), None, Mobile),
    ("+27711234567",   Some("ZA"), None, Mobile),
    ("+2348021234567", Some("NG"), None, Mobile),
    ("+2250701234567", Some("CI"), None, Mobile),
    ("+5491123456789", Some("AR"), None, Mobile),
    ("+525512345678",  Some("MX"), None, FixedLineOrMobile),
    ("+5215512345678", Some("MX"), None, Unknown),
    ("+38349123456",   Some("XK"), None, Mobile),
    ("+6834123",       Some("NU"), None, FixedLine),
    // Codes of no country.
    ("+80012345678",   None,       None, TollFree),
    ("+881612345678",  None,       None, Mobile),
    ("+979123456789",  None,       None, PremiumRate),
];

#[test]
fn numbers_of_many_countries() {
    for &(text, country, area_code, kind) in [FICTIONAL, NORTH_AMERICA, SHARED, ELSEWHERE]
        .into_iter()
        .flatten()
    {
        let number = PhoneNumber::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(number.to_string(), text);
        assert_eq!(number.country(), country.and_then(Country::parse), "{text}");
        assert_eq!(
            number.area_code().map(AreaCode::number),
            area_code,
            "{text}"
        );
        assert_eq!(number.kind(), kind, "{text}");
    }
}

#[test]
fn punctuation_is_tolerated() {
    for text in [
        "+1 415 555 0199",
        "+1 (415) 555-0199",
        "+1.415.555.0199",
        "  +1-415-555-0199 ",
        "+(1)4155550199",
    ] {
        assert_eq!(
            PhoneNumber::parse(text).unwrap().digits(),
            14_155_550_199,
            "{text:?}"
        );
    }
}

/// `To=+14155550199` sent without escaping the plus arrives as a space and digits.
#[test]
fn a_leading_space_is_an_unescaped_plus() {
    for (text, digits) in [
        (" 14155550199", 14_155_550_199),
        (" 447700900199", 447_700_900_199),
        // Singapore, though the ten digits would do for Jamaica.
        (" 6582345678", 6_582_345_678),
        // +41 numbers have other lengths, so this is an American number after a slip of the hand.
        (" 4155550199", 14_155_550_199),
    ] {
        assert_eq!(
            PhoneNumber::parse(text).unwrap().digits(),
            digits,
            "{text:?}"
        );
    }
}

#[test]
fn without_plus_only_a_north_american_number_is_clear() {
    for text in [
        "4155550199",
        "14155550199",
        "(415) 555-0199",
        "416 555 0106",
    ] {
        assert_eq!(
            PhoneNumber::parse(text).unwrap().to_string().len(),
            12,
            "{text:?}"
        );
    }
    for text in [
        "",
        "   ",
        "+",
        "55501",
        "447700900199",
        "07700900199",
        "0014155550199",
        "5550199",
        // No such area code; an exchange cannot start with 1.
        "9876543210",
        "4151550199",
    ] {
        let error = PhoneNumber::parse(text).unwrap_err();
        assert_eq!(error, PhoneNumberError::MissingCountryCode, "{text:?}");
    }
}

#[test]
fn the_impossible_is_refused_with_its_reason() {
    use PhoneNumberError::{
        ImpossibleAreaCode, ImpossibleLength, TooLong, UnexpectedCharacter, UnknownCountryCode,
    };
    let length = |calling_code, given| ImpossibleLength {
        calling_code,
        given,
    };
    for (text, error) in [
        ("+999123456789", UnknownCountryCode),
        ("+2101234567", UnknownCountryCode),
        ("+1", length(1, 0)),
        ("+1415555019", length(1, 9)),
        ("+141555501990", length(1, 11)),
        ("+44770090", length(44, 6)),
        ("+44770090019900", length(44, 12)),
        // The zero that is dialed at home.
        ("+4407700900199", length(44, 11)),
        ("+337000000010", length(33, 10)),
        ("+11234567890", ImpossibleAreaCode(123)),
        ("+10155550199", ImpossibleAreaCode(15)),
        ("+4915110000001234", TooLong),
        ("+99999999999999999999999999", TooLong),
        ("+1415555019x", UnexpectedCharacter('x')),
        ("+1415+5550199", UnexpectedCharacter('+')),
        ("tel:+14155550199", UnexpectedCharacter('t')),
        ("ACME", UnexpectedCharacter('A')),
        ("+１４１５５５５０１９９", UnexpectedCharacter('１')),
    ] {
        assert_eq!(PhoneNumber::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn a_number_is_read_as_it_is_dialed_in_a_country() {
    use PhoneNumberError::{MissingCountryCode, TooLong, UnexpectedCharacter};
    for (country, text, number) in [
        ("US", "(415) 555-0199", Ok("+14155550199")),
        ("US", "1 415 555 0199", Ok("+14155550199")),
        ("CA", "4165550106", Ok("+14165550106")),
        ("US", "011447700900199", Ok("+447700900199")),
        ("GB", "07700900199", Ok("+447700900199")),
        ("GB", "7700900199", Ok("+447700900199")),
        ("GB", "00 33 7 00 00 00 01", Ok("+33700000001")),
        ("GB", "+14155550199", Ok("+14155550199")),
        ("FR", "07.00.00.00.01", Ok("+33700000001")),
        ("DE", "0151/10000001", Ok("+4915110000001")),
        // The zero belongs to the number there.
        ("IT", "06 1234 5678", Ok("+390612345678")),
        ("AE", "0500000099", Ok("+971500000099")),
        ("US", "ACME", Err(UnexpectedCharacter('A'))),
        ("US", "415555+0199", Err(UnexpectedCharacter('+'))),
        ("US", "", Err(MissingCountryCode)),
        ("ZZ", "4155550199", Err(MissingCountryCode)),
        ("US", "0000000000000000000000000000000", Err(TooLong)),
    ] {
        let country = Country::parse(country).unwrap();
        let read = PhoneNumber::parse_in(country, text);
        let read = read.map(|number| number.to_string());
        assert_eq!(
            read.as_deref(),
            number.as_ref().copied(),
            "{country} {text:?}"
        );
    }
    let read = PhoneNumber::parse_in(Country::US, "555-0199");
    assert!(read.is_err(), "a number without its area code: {read:?}");
}

#[test]
fn trusted_digits_are_only_counted() {
    assert_eq!(PhoneNumber::from_digits(999_999), None);
    assert_eq!(PhoneNumber::from_digits(1_000_000_000_000_000), None);
    let unknown = PhoneNumber::from_digits(9_991_234_567).unwrap();
    assert_eq!(unknown.country(), None);
    assert_eq!(unknown.kind(), Unknown);
}

proptest! {
    #[test]
    fn what_is_parsed_reads_back(text in "[+ ]?[0-9 .()-]{0,24}") {
        let at_home = ["US", "IT", "GB"].map(|country| {
            PhoneNumber::parse_in(Country::parse(country).unwrap(), &text)
        });
        for number in at_home.into_iter().flatten() {
            prop_assert_eq!(PhoneNumber::parse(&number.to_string()), Ok(number));
        }
        if let Ok(number) = PhoneNumber::parse(&text) {
            prop_assert_eq!(PhoneNumber::parse(&number.to_string()), Ok(number));
            prop_assert_eq!(PhoneNumber::from_digits(number.digits()), Some(number));
        }
    }

    #[test]
    fn no_text_and_no_number_panics(text in "\\PC*", digits: u64) {
        let _ = PhoneNumber::parse(&text);
        let _ = PhoneNumber::parse_in(Country::US, &text);
        let number = PhoneNumber(digits);
        let _ = (number.country(), number.area_code(), number.kind());
    }
}
