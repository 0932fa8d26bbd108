//! The world's numbering plans: the one place that knows the library they come from.
//!
//! `rlibphonenumber` answers with regular expressions, several for each question. Most questions need
//! none: which country code, which lengths, and, where a country code has one country, which country.
//! Those answers are asked of the library once, for each country code there is, and kept in a table;
//! only shared country codes (+44 with its islands, +7, +39, ...) and the kind of line ask it again.

use std::sync::LazyLock;

use rlibphonenumber::{
    PHONE_NUMBER_UTIL, PhoneNumberType, Region, get_national_significant_number_owned,
};

use super::NumberKind;
use crate::country::Country;
use crate::nanp::AreaCode;

/// A number cut after its country code.
#[derive(Clone, Copy)]
pub(super) struct Split {
    pub(super) digits: u64,
    pub(super) calling_code: u16,
    /// How many digits follow the country code.
    pub(super) national_digits: u8,
    plan: Plan,
}

/// What is known of a country code without looking at the rest of the number.
#[derive(Clone, Copy)]
struct Plan {
    /// Bit n: there are numbers with n digits after the country code.
    lengths: u16,
    /// `None` when the code belongs to no country.
    main_country: Option<Country>,
    is_shared: bool,
}

/// Country codes are free of prefixes, so at most one of the first digit, the first two and the first
/// three is one.
pub(super) fn split(digits: u64) -> Option<Split> {
    let length = digits.checked_ilog10()? + 1;
    (1..=3.min(length)).find_map(|code_length| {
        let national_digits = length - code_length;
        let calling_code = digits / 10_u64.pow(national_digits);
        let plan = PLANS[usize::try_from(calling_code).ok()?]?;
        Some(Split {
            digits,
            calling_code: u16::try_from(calling_code).ok()?,
            national_digits: u8::try_from(national_digits).ok()?,
            plan,
        })
    })
}

/// The digits of E.164, country code first, of a number as it is dialed in a country.
pub(super) fn digits_dialed_in(country: Country, text: &str) -> Option<u64> {
    let region = Region::try_from(country.as_str()).ok()?;
    let number = PHONE_NUMBER_UTIL.parse(text, Some(region)).ok()?;
    let national = get_national_significant_number_owned(&number);
    format!("{}{national}", number.country_code).parse().ok()
}

impl Split {
    pub(super) fn has_possible_length(&self) -> bool {
        let bit = 1_u16.checked_shl(self.national_digits.into());
        bit.is_some_and(|bit| self.plan.lengths & bit != 0)
    }

    /// The area code of a number of the North American plan.
    pub(super) fn area_code(&self) -> Option<AreaCode> {
        let is_north_american = self.calling_code == 1 && self.national_digits == 10;
        is_north_american.then(|| AreaCode::new(self.first_three()))?
    }

    /// The three digits after the country code of a North American number.
    pub(super) fn first_three(&self) -> u16 {
        u16::try_from(self.digits / 10_000_000 % 1000).expect("less than 1000")
    }

    pub(super) fn country(&self) -> Option<Country> {
        if !self.plan.is_shared {
            return self.plan.main_country;
        }
        PHONE_NUMBER_UTIL
            .get_region_for_number(&self.for_library())
            .and_then(|region| Country::parse(region.as_region_str().as_str()))
            .or(self.plan.main_country)
    }

    pub(super) fn kind(&self) -> NumberKind {
        match PHONE_NUMBER_UTIL.get_number_type(&self.for_library()) {
            PhoneNumberType::Mobile => NumberKind::Mobile,
            PhoneNumberType::FixedLine => NumberKind::FixedLine,
            PhoneNumberType::FixedLineOrMobile => NumberKind::FixedLineOrMobile,
            PhoneNumberType::TollFree => NumberKind::TollFree,
            PhoneNumberType::PremiumRate => NumberKind::PremiumRate,
            PhoneNumberType::SharedCost
            | PhoneNumberType::VoIP
            | PhoneNumberType::PersonalNumber
            | PhoneNumberType::Pager
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail => NumberKind::Other,
            PhoneNumberType::Unknown => NumberKind::Unknown,
        }
    }

    /// The digits after the country code, as one number; leading zeros (Italy has them) are lost.
    fn national(&self) -> u64 {
        self.digits % 10_u64.pow(self.national_digits.into())
    }

    fn for_library(&self) -> rlibphonenumber::PhoneNumber {
        let significant_digits = self.national().checked_ilog10().map_or(0, |log| log + 1);
        library_number(
            self.calling_code.into(),
            self.national(),
            u32::from(self.national_digits) - significant_digits,
        )
    }
}

/// Indexed by country code.
static PLANS: LazyLock<Vec<Option<Plan>>> = LazyLock::new(|| (0..1000).map(ask_plan).collect());

fn ask_plan(calling_code: i32) -> Option<Plan> {
    let mut regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(calling_code)?;
    let is_shared = regions.len() > 1;
    let main_country = regions
        .next()
        .and_then(|region| Country::parse(region.as_region_str().as_str()));
    // Only the length is looked at, so a one and zeros stand for all numbers of a length. 15 digits
    // less one of the country code is the most that E.164 leaves.
    let lengths = (2..=14_u32)
        .filter(|&length| {
            let number = library_number(calling_code, 10_u64.pow(length - 1), 0);
            PHONE_NUMBER_UTIL.is_possible_number_with_reason(&number)
                == Ok(rlibphonenumber::NumberLengthType::IsPossible)
        })
        .fold(0, |lengths, length| lengths | 1 << length);
    Some(Plan {
        lengths: lengths | retired_lengths(calling_code),
        main_country,
        is_shared,
    })
}

/// Lengths that the plan no longer lists and that are still in daily use.
fn retired_lengths(calling_code: i32) -> u16 {
    match calling_code {
        // Mexico dropped the 1 after +52 in 2019; WhatsApp addresses keep it.
        52 => 1 << 11,
        _ => 0,
    }
}

fn library_number(
    calling_code: i32,
    national: u64,
    leading_zeros: u32,
) -> rlibphonenumber::PhoneNumber {
    rlibphonenumber::PhoneNumber {
        country_code: calling_code,
        national_number: national,
        italian_leading_zero: (leading_zeros > 0).then_some(true),
        number_of_leading_zeros: i32::try_from(leading_zeros).ok(),
        ..rlibphonenumber::PhoneNumber::default()
    }
}
