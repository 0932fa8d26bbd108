//! Optional parameters (SMPP v3.4, 5.3): a tag, a length and raw octets.
//!
//! A block of TLVs is kept as it came and read on demand. A TLV that runs past the end is dropped
//! with whatever follows; the ones before it count. Unknown and repeated tags are no error.

use super::encode::EncodeError;

pub const SOURCE_PORT: u16 = 0x020A;
pub const DESTINATION_PORT: u16 = 0x020B;
pub const SAR_MSG_REF_NUM: u16 = 0x020C;
pub const SAR_TOTAL_SEGMENTS: u16 = 0x020E;
pub const SAR_SEGMENT_SEQNUM: u16 = 0x020F;
pub const SC_INTERFACE_VERSION: u16 = 0x0210;
pub const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
pub const MESSAGE_PAYLOAD: u16 = 0x0424;
pub const MORE_MESSAGES_TO_SEND: u16 = 0x0426;
pub const MESSAGE_STATE: u16 = 0x0427;
pub const NETWORK_ERROR_CODE: u16 = 0x0423;

/// A block of TLVs in wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tlvs<'a>(pub &'a [u8]);

impl<'a> Tlvs<'a> {
    pub fn iter(self) -> Iter<'a> {
        Iter(self.0)
    }

    /// The value of the first TLV with this tag.
    pub fn get(self, tag: u16) -> Option<&'a [u8]> {
        self.iter()
            .find(|(found, _)| *found == tag)
            .map(|(_, value)| value)
    }

    /// The value as one octet, if it is exactly that.
    pub fn get_u8(self, tag: u16) -> Option<u8> {
        match self.get(tag)? {
            [value] => Some(*value),
            _ => None,
        }
    }

    /// The value as a 16-bit number, if it is exactly that.
    pub fn get_u16(self, tag: u16) -> Option<u16> {
        self.get(tag)?.try_into().ok().map(u16::from_be_bytes)
    }
}

impl<'a> IntoIterator for Tlvs<'a> {
    type Item = (u16, &'a [u8]);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Reads TLVs until the block ends or makes no sense any more.
#[derive(Clone, Debug)]
pub struct Iter<'a>(&'a [u8]);

impl<'a> Iterator for Iter<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[tag_high, tag_low, length_high, length_low], rest) =
            self.0.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let Some((value, rest)) = rest.split_at_checked(length) else {
            self.0 = &[];
            return None;
        };
        self.0 = rest;
        Some((u16::from_be_bytes([tag_high, tag_low]), value))
    }
}

/// Appends one TLV.
pub fn push(out: &mut Vec<u8>, tag: u16, value: &[u8]) -> Result<(), EncodeError> {
    let length = u16::try_from(value.len()).map_err(|_| EncodeError::TooLong {
        field: "TLV",
        length: value.len(),
        maximum: 65_535,
    })?;
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tlv_past_the_end_is_dropped_and_the_ones_before_it_count() {
        let block = [0x02, 0x04, 0, 2, 1, 2, 0x04, 0x27, 0, 9, 2];
        let tlvs = Tlvs(&block);
        assert_eq!(tlvs.get(0x0204), Some(&[1, 2][..]));
        assert_eq!(tlvs.get(MESSAGE_STATE), None);
        assert_eq!(tlvs.iter().count(), 1);
    }

    #[test]
    fn stray_octets_after_the_last_tlv_are_ignored() {
        let block = [0x04, 0x27, 0, 1, 2, 0xDE, 0xAD, 0xBE];
        assert_eq!(Tlvs(&block).get_u8(MESSAGE_STATE), Some(2));
    }

    #[test]
    fn a_number_of_the_wrong_width_is_no_number() {
        let block = [0x04, 0x27, 0, 2, 0, 2];
        assert_eq!(Tlvs(&block).get_u8(MESSAGE_STATE), None);
        assert_eq!(Tlvs(&block).get_u16(MESSAGE_STATE), Some(2));
    }
}
