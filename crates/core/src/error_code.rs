//! The error catalogue: every code of Twilio's error dictionary that Postrider knows, in one table.
//!
//! A domain error knows its code; the code knows how it looks from outside: the HTTP status when it
//! is the answer to a request, the level when it is an alert, and a general text that a handler may
//! replace by a more exact one. The numbers, and which of them are warnings, are those of the public
//! dictionary (<https://www.twilio.com/docs/api/errors>); titles and texts are our own. Codes marked
//! `page` have a page in `docs/errors/` with causes and settings; a test compares folder and table.

use std::fmt;

/// How loud an alert with this code is: the two levels that the dictionary uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertLevel {
    /// The work went on, perhaps not as meant.
    Warning,
    /// Something did not happen.
    Error,
}

/// A number that is no code of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not an error code that Postrider knows")]
pub struct UnknownErrorCode(pub u32);

impl ErrorCode {
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The HTTP status when a request is answered with this code. A code that only ever appears on a
    /// message or in an alert answers no request, so meeting it at the edge is our bug: 500.
    pub fn http_status(self) -> u16 {
        self.synchronous_status().unwrap_or(500)
    }

    /// The HTTP status, or `None` for a code that only appears after the request was answered.
    pub fn synchronous_status(self) -> Option<u16> {
        self.entry().status
    }

    pub fn alert_level(self) -> AlertLevel {
        self.entry().level
    }

    /// A few words to recognize the error by, as in the heading of its page.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// The text for the customer: what was expected and what to do, in general terms.
    pub fn message(self) -> &'static str {
        self.entry().message
    }

    /// Whether `docs/errors/` has a page for this code.
    pub fn is_documented(self) -> bool {
        self.entry().is_documented
    }
}

impl fmt::Display for ErrorCode {
    /// The digits, as callbacks and alerts carry them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code().fmt(f)
    }
}

impl From<ErrorCode> for u32 {
    fn from(error: ErrorCode) -> Self {
        error.code()
    }
}

/// One row of the table.
struct Entry {
    status: Option<u16>,
    level: AlertLevel,
    is_documented: bool,
    title: &'static str,
    message: &'static str,
}

/// Columns: code, name, HTTP status or `-`, alert level, `page` or `-`, title, message.
macro_rules! error_codes {
    ($($code:literal $name:ident $status:tt $level:ident $page:tt $title:literal $message:literal;)*) => {
        /// A code of Twilio's error dictionary. Ordered by number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u32)]
        pub enum ErrorCode {
            $(
                #[doc = concat!(stringify!($code), ": ", $title, ".")]
                $name = $code,
            )*
        }

        impl ErrorCode {
            /// Every code, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$name => &Entry {
                        status: error_codes!(@status $status),
                        level: error_codes!(@level $level),
                        is_documented: error_codes!(@page $page),
                        title: $title,
                        message: $message,
                    },)*
                }
            }
        }

        impl TryFrom<u32> for ErrorCode {
            type Error = UnknownErrorCode;

            fn try_from(code: u32) -> Result<Self, UnknownErrorCode> {
                match code {
                    $($code => Ok(Self::$name),)*
                    _ => Err(UnknownErrorCode(code)),
                }
            }
        }
    };
    (@status -) => { None };
    (@status $status:literal) => { Some($status) };
    (@level error) => { AlertLevel::Error };
    (@level warning) => { AlertLevel::Warning };
    (@page page) => { true };
    (@page -) => { false };
}

// Where no public source settles the status, two choices are worth knowing. 21701 and 21711 are 400:
// the unknown thing is a parameter, not the URL (404 with 20404 is for that). 21611 is 429, as Twilio
// answers for its magic test number with a full queue (+15005550008): slowing down helps.
error_codes! {
    // The webhook could not be fetched. Written as alerts: the message they belong to goes on.
    11200 WebhookFailed - error page "Webhook failed"
        "The webhook gave no usable answer. Check that the URL answers with a 2xx status within the time limit.";
    11205 WebhookConnectionFailed - error page "Webhook connection failed"
        "No connection to the webhook's host could be made in time. Check that the host is up and reachable from this server.";
    11206 WebhookProtocolViolation - error page "Webhook broke the HTTP protocol"
        "The webhook's answer is not valid HTTP. Check the server, and any proxy, behind the URL.";
    11210 WebhookHostUnknown - error page "Webhook host name not found"
        "The webhook's host name does not resolve to an address we may use. Check the name and its DNS records.";
    11215 WebhookTooManyRedirects - error page "Webhook redirected too often"
        "The webhook redirects more often than is followed. Configure the final URL instead.";
    11217 WebhookErrorStatus - error page "Webhook answered with an error status"
        "The webhook answered with a 4xx or 5xx status. Look into the log of the application behind the URL.";
    11220 WebhookTlsFailed - error page "Webhook TLS handshake failed"
        "No TLS connection to the webhook could be agreed. Check its certificate, protocol versions and ciphers.";
    11235 WebhookCertificateWrongName - error page "Webhook certificate is for another name"
        "The webhook's certificate does not cover the host name in the URL. Install one that names this host.";
    11236 WebhookCertificateExpired - error page "Webhook certificate expired"
        "The webhook's certificate is out of date. Renew it.";
    11237 WebhookCertificateUntrusted - error page "Webhook certificate chain incomplete"
        "The webhook's certificate leads to no trusted root. Install the intermediate certificates with it.";
    11243 WebhookRetryPolicyInvalid - warning page "Webhook retry policy invalid"
        "A connection override in the webhook URL's fragment is not understood, so its default is used. Check 'rc', 'rp', 'ct', 'rt' and 'tt'.";
    11321 WebhookMisconfigured - error page "Webhook URL misconfigured"
        "The configured webhook URL cannot be requested. Give an absolute http or https URL with a host name.";
    11750 TwimlTooLarge - error page "TwiML too large"
        "The webhook's answer is larger than 64 kB. Shorten it.";
    11751 MediaTooLarge - error - "Media too large"
        "The media of this message is larger than the channel takes. Send fewer or smaller files.";

    // TwiML answers to an inbound message.
    12100 TwimlUnparseable - error page "TwiML is not XML"
        "The webhook's answer could not be parsed as XML. Check it for unescaped '&' and '<', and for output around the document.";
    12102 TwimlWrongRoot - error page "TwiML root is not Response"
        "The root element of the webhook's answer must be Response.";
    12200 TwimlSchemaWarning - warning page "TwiML does not match the schema"
        "A verb or attribute of the webhook's answer is unknown and was skipped. Check spelling and upper and lower case.";
    12300 ContentTypeInvalid - error page "Content type unusable"
        "The webhook or media URL answered with a content type that cannot be used. Set the Content-Type header to the type of the body.";
    14101 ReplyToInvalid - warning page "Reply has an invalid 'to'"
        "The 'to' attribute of a Message verb cannot be sent to; the verb was skipped.";
    14102 ReplyFromInvalid - warning page "Reply has an invalid 'from'"
        "The 'from' attribute of a Message verb is no sender of this account; the verb was skipped.";
    14103 ReplyBodyInvalid - warning page "Reply has an invalid body"
        "A Message verb has no body, or one that is too long; the verb was skipped.";
    14104 ReplyMethodInvalid - warning page "Reply has an invalid 'method'"
        "The 'method' attribute of a Message verb must be GET or POST.";
    14105 ReplyStatusCallbackInvalid - warning page "Reply has an invalid 'statusCallback'"
        "The 'statusCallback' attribute of a Message verb is not a usable URL.";
    14106 ReplyTooManyDocuments - warning page "Too many documents for one reply"
        "The answers to this inbound message redirect further than is followed; the rest was skipped. Check for a Redirect that leads back to its own document.";
    14107 ReplyRateExceeded - error page "Too many replies to one recipient"
        "Replies to this recipient come faster than allowed and were stopped. Check for two systems that answer each other.";
    14108 ReplySenderWithoutSms - warning page "Reply sender cannot send SMS"
        "The sender of this reply cannot send SMS; the verb was skipped.";
    14109 ReplyTooManyMessages - warning page "Too many messages in one reply"
        "The webhook's answer holds more messages than one reply may; the rest was skipped.";
    14110 ReplyVerbInvalid - warning page "Verb not valid in a messaging reply"
        "The webhook's answer holds a verb that means nothing in a messaging reply; it was skipped.";
    14111 ReplyToNotVerified - warning - "Reply to an unverified number"
        "A trial account sends replies to verified numbers only; the verb was skipped.";

    // Every API.
    20001 InvalidParameter 400 warning page "Invalid parameter"
        "A parameter of the request is unknown or has an unusable value. Compare the request with the reference of this resource.";
    20002 InvalidFriendlyName 400 error page "Invalid FriendlyName"
        "The 'FriendlyName' is missing or too long. Give at most 64 characters.";
    20003 Unauthorized 401 error page "Authentication failed"
        "The credentials are missing, wrong, or may not do this. Send the account SID and auth token, or an API key and its secret, by HTTP Basic.";
    20004 MethodNotAllowed 405 error page "Method not allowed"
        "This resource does not offer the HTTP method of the request.";
    20005 AccountNotActive 403 error page "Account not active"
        "This account is suspended or closed. Activate it before sending or changing anything.";
    20006 PageBeyondEnd 404 error page "Page beyond the end"
        "The requested page does not exist. Follow the next-page links of the list instead of building page numbers.";
    20007 PageSizeTooLarge 400 error page "Page size too large"
        "The 'PageSize' is larger than allowed. Ask for at most 1000 entries.";
    20008 TestCredentials 403 error page "Not available to test credentials"
        "Test credentials cannot reach this resource. Use the live credentials of the account.";
    20009 NotDeletableYet 409 error page "Cannot be deleted yet"
        "This resource is still in use. Delete it when it has reached a final state.";
    20403 Forbidden 403 error page "Forbidden"
        "These credentials are not allowed to do this.";
    20404 NotFound 404 error page "Not found"
        "The requested resource was not found. Check its SID and that it belongs to this account.";
    20409 Conflict 409 error page "Conflict"
        "The request conflicts with the current state of the resource. Fetch it again before repeating the request.";
    20410 Gone 410 error page "Gone"
        "This resource existed and is no longer available.";
    20413 BodyTooLarge 413 error page "Request body too large"
        "The body of the request is larger than this API takes.";
    20422 InvalidParameterValue 422 error page "Invalid parameter value"
        "A parameter was understood, but its value cannot be used here.";
    20423 InvalidSid 400 error page "Invalid SID"
        "A SID is malformed. Give two letters for the kind of resource, followed by 32 hexadecimal digits.";
    20429 TooManyRequests 429 error page "Too many requests"
        "More requests arrived than are accepted at a time. Wait a moment and repeat the request; it had no effect.";
    20500 InternalError 500 error page "Internal error"
        "Something went wrong on this server. Repeat the request; if it fails again, tell the operator the request id.";
    20503 Unavailable 503 error page "Temporarily unavailable"
        "The server cannot store anything at the moment. The request had no effect; repeat it later.";

    // Addresses of a message.
    21211 InvalidTo 400 error page "Invalid 'To' number"
        "The 'To' number is not a valid phone number. Give it in E.164 form: a plus sign, the country code and the number.";
    21212 InvalidFrom 400 error page "Invalid 'From'"
        "The 'From' is neither a valid phone number nor another kind of sender. Give E.164, a short code or an alphanumeric sender ID.";
    21218 InvalidApplicationSid 400 error page "Invalid ApplicationSid"
        "The 'ApplicationSid' names no application of this account.";
    21265 ToIsShortCode 400 error page "'To' is a short code"
        "Messages cannot be sent to a short code. Give the number of a handset.";
    21266 ToEqualsFrom 400 error page "'To' equals 'From'"
        "'To' and 'From' are the same number. Give two different ones.";
    21268 ToIsPremium 400 error page "'To' is a premium rate number"
        "Messages cannot be sent to premium rate or information service numbers. Give the number of a handset.";
    21401 InvalidPhoneNumber 400 error page "Invalid phone number"
        "The phone number is malformed. Give it in E.164 form: a plus sign, the country code and the number.";
    21402 InvalidUrl 400 error page "Invalid URL"
        "A URL is malformed. Give an absolute http or https URL.";
    21403 InvalidMethod 400 error page "Invalid HTTP method"
        "The HTTP method of a webhook must be GET or POST.";
    21407 NumberTypeWithoutSms 400 error page "Number type does not support SMS"
        "Numbers of this type cannot be used for SMS.";
    21408 CountryNotPermitted 400 error page "Country not permitted"
        "Sending to the country of the 'To' number is disabled for this account.";
    21451 InvalidAreaCode 400 error page "Invalid area code"
        "The area code is not one of the North American Numbering Plan. Give three digits, the first of them 2 to 9.";
    21452 NoNumbersInAreaCode 400 error page "No numbers in this area code"
        "The inventory holds no unassigned number in this area code.";

    // Creating a message.
    21601 NumberCannotReceiveSms 400 error page "Number cannot receive SMS"
        "This number is not set up to receive SMS.";
    21602 MissingContent 400 error page "Message content is missing"
        "A message needs content. Give 'Body', 'MediaUrl' or 'ContentSid'.";
    21603 MissingFrom 400 error page "Sender is missing"
        "A message needs a sender. Give 'From' or 'MessagingServiceSid'.";
    21604 MissingTo 400 error page "'To' is missing"
        "A message needs a recipient. Give its number as 'To'.";
    21606 FromCannotReachTo 400 error page "'From' cannot send to this destination"
        "The 'From' sender cannot send messages to this recipient: it does not reach its country, or may not be used at present.";
    21608 RecipientNotVerified 400 error - "Recipient not on the allow-list"
        "This account may only send to the numbers on its allow-list.";
    21609 InvalidStatusCallback 400 error page "Invalid StatusCallback"
        "The 'StatusCallback' is not a usable URL. Give an absolute http or https URL whose host name has no underscore.";
    21610 RecipientOptedOut 400 error page "Recipient opted out"
        "This recipient has opted out of messages from this sender. They can opt in again by texting START.";
    21611 SenderQueueFull 429 error page "Queue of this sender is full"
        "This 'From' already has as many messages waiting as its queue holds. Send more slowly, or through more senders.";
    21612 NoRoute 400 error page "No route to the recipient"
        "There is no way from this sender to this recipient. Use another sender, or ask the operator for a route.";
    21614 ToIsNotMobile 400 error page "'To' is not a mobile number"
        "The 'To' number belongs to no handset that can receive messages.";
    21616 FromAmbiguous 400 error - "'From' matches several senders"
        "The 'From' matches more than one sender of this account. Give it in full.";
    21617 BodyTooLong 400 error page "Body too long"
        "The 'Body' is longer than 1600 characters. Shorten it, or send several messages.";
    21618 BodyNotSendable 400 error - "Body cannot be sent"
        "The 'Body' holds nothing that can be sent.";
    21619 MissingParameter 400 error page "Required parameter missing"
        "A required parameter is missing, so nothing was created.";
    21620 InvalidMediaUrl 400 error page "Invalid media URL"
        "A 'MediaUrl' is not a usable URL. Give absolute http or https URLs that need no login.";
    21621 FromWithoutMms 400 error page "'From' cannot send media"
        "The 'From' sender is not enabled for MMS. Use one that is, or send a link.";
    21622 AccountWithoutMms 400 error - "Account not enabled for MMS"
        "MMS is not enabled for this account.";
    21623 TooManyMedia 400 error page "Too many media files"
        "A message carries at most 10 media files.";
    21624 InvalidValidityPeriod 400 error page "Invalid validity period"
        "The 'ValidityPeriod' must be a whole number of seconds from 1 to 36000.";
    21626 InvalidStatusCallbackEvent 400 error - "Invalid StatusCallbackEvent"
        "The 'StatusCallbackEvent' names no event.";
    21627 InvalidMaxPrice 400 error page "Invalid MaxPrice"
        "The 'MaxPrice' must be a number, 0 or more.";
    21635 ToIsLandline 400 error page "'To' is a landline"
        "The 'To' number is a landline and cannot receive messages. Give a mobile number.";
    21654 MissingContentSid 400 error - "ContentSid is missing"
        "This request needs a 'ContentSid'.";
    21655 InvalidContentSid 400 error page "Invalid ContentSid"
        "The 'ContentSid' names no template of this account.";
    21656 InvalidContentVariables 400 error - "Invalid ContentVariables"
        "The 'ContentVariables' must be one JSON object with a text for each variable of the template.";
    21657 InvalidSenderId 400 error page "Invalid sender ID"
        "An alphanumeric sender ID has 1 to 11 characters (letters, digits, space, '+', '-', '_', '&'), at least one letter, and no space first or last.";
    21658 ParameterTooLong 400 error page "Parameter too long"
        "A parameter is longer than allowed. Shorten it.";
    21659 FromNotOurs 400 error page "'From' is not a sender of this server"
        "The 'From' is no number of this server, or a short code of another country than the recipient's.";
    21660 FromOfOtherAccount 400 error page "'From' belongs to another account"
        "The 'From' sender belongs to another account. Use that account's credentials, or a sender of your own.";
    21661 FromWithoutSms 400 error page "'From' cannot send SMS"
        "The 'From' sender is not enabled for SMS.";
    21664 FallbackFromWithFrom 400 error page "FallbackFrom together with From"
        "'FallbackFrom' cannot be combined with 'From'. Give only one of them.";
    21666 FallbackFromWithoutService 400 error page "FallbackFrom without a Messaging Service"
        "'FallbackFrom' needs a 'MessagingServiceSid'.";
    21667 FallbackFromWithoutRcs 400 error page "FallbackFrom without an RCS sender"
        "'FallbackFrom' needs an RCS sender in the Messaging Service.";

    // Messaging Services and their sender pools.
    21701 ServiceNotFound 400 error page "Messaging Service does not exist"
        "The 'MessagingServiceSid' names no Messaging Service of this account.";
    21702 ServiceUnavailable 400 error page "Messaging Service cannot send now"
        "This Messaging Service cannot send messages at the moment.";
    21703 NoSuitableSender 400 error page "No sender can reach this recipient"
        "No sender in the pool of this Messaging Service can reach the recipient with this message. Add one that can.";
    21704 ServicePoolEmpty 400 error page "Messaging Service has no senders"
        "The pool of this Messaging Service is empty. Add a sender before sending.";
    21705 InvalidServiceSid 400 error page "Invalid MessagingServiceSid"
        "The 'MessagingServiceSid' is malformed. Give MG followed by 32 hexadecimal digits.";
    21708 MissingAlphaSender 400 warning page "Alpha sender is missing"
        "The request names no alpha sender. Give it as 'AlphaSender'.";
    21709 InvalidAlphaSender 400 error page "Invalid alpha sender"
        "The alpha sender is malformed, or may not be used with this Messaging Service.";
    21710 SenderAlreadyInService 409 warning page "Sender already in this Messaging Service"
        "This sender is already in the pool of this Messaging Service.";
    21711 SenderNotInService 400 warning page "Sender not in this Messaging Service"
        "This sender is not in the pool of the Messaging Service. Add it, or leave 'From' out.";
    21712 SenderInOtherService 409 error page "Sender belongs to another Messaging Service"
        "This sender is in the pool of another Messaging Service. Remove it there first.";
    21713 InvalidUsecase 400 error page "Invalid Usecase"
        "The 'Usecase' must be one of notifications, marketing, verification, discussion, poll and undeclared.";
    21714 ServicePoolFull 412 error page "Sender pool is full"
        "The pool of this Messaging Service holds as many senders as it may.";
    21715 SenderLacksCapability 400 error page "Sender lacks a capability"
        "This number can carry neither SMS nor MMS, so it cannot join a sender pool.";
    21717 BrandNotRegistered 400 error page "Brand not registered"
        "The brand of this campaign is not registered.";
    21719 UseCasesIncompatible 400 error - "Use cases incompatible"
        "The use case of the Messaging Service does not allow this campaign use case.";
    21720 InvalidCampaignUseCase 400 error page "Invalid campaign use case"
        "The campaign use case is unknown.";
    21721 VettingTokenWrongBrand 400 error - "Vetting token does not fit the brand"
        "This vetting token cannot be imported for this kind of brand.";
    21722 InvalidVettingToken 400 error - "Invalid vetting token"
        "The vetting token is malformed or unknown.";
    21723 VettingImportRunning 409 error - "Vetting import already running"
        "A vetting token of this brand is being imported. Wait until it is done.";
    21724 BrandUpdatedTooOften 400 error - "Brand updated too often"
        "This brand has used up its updates.";
    21725 BrandNotFailed 400 error page "Brand not in a failed state"
        "A brand can be updated only after its registration failed.";
    21726 BrandTypeClosed 400 error - "Brand type closed"
        "Brands of this type can be neither created nor updated now.";
    21727 CampaignParameterMissing 400 error page "Campaign parameter missing"
        "The campaign lacks a required parameter.";
    21728 CampaignFieldLength 400 error page "Campaign field too short or too long"
        "A field of the campaign is shorter or longer than allowed.";
    21910 ChannelsDiffer 400 error page "'To' and 'From' on different channels"
        "'To' and 'From' must be addresses of the same channel.";

    // What became of a message after it was accepted.
    30001 QueueOverflow - error page "Queue overflow"
        "The queue of the chosen sender was full. Send more slowly, or add senders to the pool.";
    30002 AccountSuspended - error page "Account suspended"
        "The account was suspended while the message waited.";
    30003 HandsetUnreachable - error page "Handset unreachable"
        "The handset is switched off or out of reach. Send again later.";
    30004 MessageBlocked - error page "Message blocked"
        "The recipient or the carrier blocks messages from this sender.";
    30005 HandsetUnknown - error page "Handset unknown"
        "The carrier does not know this number, or it is no longer in service.";
    30006 LandlineOrCarrierUnreachable - error page "Landline or unreachable carrier"
        "The number is a landline, or its carrier cannot be reached.";
    30007 MessageFiltered - error page "Message filtered"
        "The message was stopped as unwanted content.";
    30008 UnknownFailure - error page "Unknown failure"
        "The carrier did not deliver the message and gave no reason that we can translate.";
    30009 InboundSegmentMissing - error page "Inbound segment missing"
        "A segment of an inbound message never arrived, so the text is incomplete.";
    30010 PriceAboveMaximum - error - "Price above MaxPrice"
        "The message would have cost more than its 'MaxPrice'.";
    30011 MmsNotSupported - error - "MMS not supported by the destination"
        "The recipient cannot receive MMS.";
    30012 TtlTooSmall 400 error - "TTL too small"
        "The time to live is smaller than allowed.";
    30013 TtlTooBig 400 error - "TTL too big"
        "The time to live is larger than allowed.";
    30014 InvalidToAttributes 400 error - "Invalid attributes of 'To'"
        "The attributes of the 'To' address are not usable.";
    30015 ChannelNotSupported 400 error page "Channel not supported"
        "Messages cannot be sent over this kind of channel.";
    30016 ChannelsIncompatible 400 error page "Channels incompatible"
        "'To' and 'From' are addresses of channels that cannot reach each other.";
    30017 CarrierCongested - error page "Carrier congested"
        "The carrier's network took no more messages. Send again later.";
    30018 PreregistrationWanted - warning page "Destination wants a registered sender ID"
        "Carriers of the destination want sender IDs registered in advance; the message was sent without. Register the sender ID.";
    30019 ContentTooLargeForCarrier - error - "Content larger than the carrier takes"
        "The content of the message is larger than the carrier takes.";
    30020 SchedulingFailed - error - "Scheduling failed"
        "The scheduled message could not be released. The fault is on this server.";
    30021 OrchestrationFailed - error - "Messaging Service failed internally"
        "The Messaging Service could not process the message. The fault is on this server.";
    30022 CampaignRateExceeded - error - "US A2P 10DLC: rate exceeded"
        "The message came faster than the campaign of this number allows.";
    30023 CampaignDailyCapReached 400 error page "Daily cap reached"
        "The sender has taken over as much as it may today. Try again after midnight UTC, or send from another sender.";
    30024 NumericSenderNotProvisioned - error page "Numeric sender not provisioned"
        "The carrier does not know this number as a sender of ours.";
    30025 DailyCapHalfUsed - warning page "Half of the daily cap used"
        "The sender has taken over half of what it may today.";
    30026 DailyCapMostlyUsed - warning page "70 % of the daily cap used"
        "The sender has taken over 70 % of what it may today.";
    30027 CarrierDailyCapReached - error - "US A2P 10DLC: carrier's daily cap reached"
        "Today's message limit at this carrier is reached.";
    30028 InvalidApiVersion 400 error - "Invalid API version"
        "The API version is unknown.";
    30029 InvalidContentRetention 400 error page "Invalid ContentRetention"
        "The 'ContentRetention' must be retain or discard.";
    30030 InvalidAddressRetention 400 error page "Invalid AddressRetention"
        "The 'AddressRetention' must be retain or obfuscate.";
    30031 InvalidMaxRate 400 error - "Invalid MaxRate"
        "The 'MaxRate' is not usable.";
    30032 TollFreeNotVerified - error - "Toll-free number not verified"
        "Carriers do not take messages from a toll-free number that is not verified.";
    30033 CampaignSuspended - error - "US A2P 10DLC: campaign suspended"
        "The campaign of this number is suspended.";
    30034 NumberNotRegistered - error - "US A2P 10DLC: number not registered"
        "Messages to the United States need a number that belongs to a registered campaign.";
    30035 NumberBeingConfigured - error - "US A2P 10DLC: number still being configured"
        "This number is still being set up for its campaign. Send again later.";
    30036 ValidityPeriodExpired - error page "Validity period expired"
        "The message waited longer than its validity period and was not sent.";
    30037 OutboundDisabled - error - "Outbound messaging disabled"
        "Sending messages is disabled for this account.";
    30038 OneTimePasswordFiltered - error - "One-time password filtered"
        "The message was stopped because it carries a one-time password.";
    30039 MessageLoopFiltered - warning - "Message loop stopped"
        "Two systems seem to answer each other; the message was stopped.";
    30040 SenderIdNotRegistered 400 error page "Sender ID not registered"
        "The destination refuses sender IDs that are not registered. Register this one.";
    30041 UnregisteredToUnitedKingdom - error - "Unregistered sender to the United Kingdom"
        "Messages from this number to the United Kingdom need a registration.";
    30042 SenderIdRefused - error page "Sender ID refused"
        "The carrier does not take this sender ID: it is too general, or has special characters.";
    30043 InternationalTrafficRefused - error - "International traffic refused"
        "The carrier takes only domestic traffic on this route.";
    30044 TrialMessageTooLong - error - "Message too long for a trial account"
        "The message has more segments than a trial account may send.";
    30045 InheritedValidityPeriodInvalid - warning page "Inherited validity period out of range"
        "The validity period inherited from the Messaging Service is out of range; the nearest allowed value was used.";

    // Link shortening.
    30100 InvalidDomainSid 400 error - "Invalid domain SID"
        "The domain SID is malformed or unknown.";
    30101 DomainNotVerified 400 error - "Domain not verified"
        "The ownership of this domain is not proven yet.";
    30102 DomainCertificateExpired - error - "Domain certificate expired"
        "The certificate of the link domain is out of date. Upload a new one.";
    30103 LinksNotShortened - error - "Links not shortened"
        "The links of the message could not be shortened. The fault is on this server.";
    30104 LinkNotFoundFallback - warning - "Short link not found, visitor sent to the fallback"
        "A short link is unknown or has expired. The visitor was sent to the fallback URL.";
    30105 LinkNotFound - warning - "Short link not found"
        "A short link is unknown or has expired, and the domain has no fallback URL.";
    30106 AccountWithoutDomain 400 error page "Account has no link domain"
        "No link domain is set up for this account.";
    30107 DomainWithoutCertificate 400 error - "Domain has no certificate"
        "No certificate with its private key was uploaded for this domain.";
    30108 DomainNotShared 400 error - "Domain not shared with this account"
        "This account may not use the domain.";
    30109 InvalidClickCallbackUrl 400 error - "Invalid CallbackUrl"
        "The 'CallbackUrl' is not a usable URL.";
    30110 DomainBlocked 403 error - "Domain blocked"
        "This domain is blocked for link shortening.";
    30111 LinkTargetBlocked 400 error - "Link target blocked"
        "A link of the message leads to a blocked address.";
    30112 LinkAccountNotFound 404 error - "Account not found"
        "The account of this link domain was not found.";
    30113 DateTooOld 400 error - "Date too old"
        "The date lies further back than records are kept.";
    30114 DateNotAvailable 400 error - "Date not available yet"
        "There are no records for this date yet.";
    30115 InvalidDate 400 error - "Invalid date"
        "The date is malformed. Give it as YYYY-MM-DD.";
    30116 CertificateOrKeyMissing 400 error - "Certificate or private key missing"
        "The PEM text must hold both a certificate and its private key.";
    30117 CertificateUnparseable 400 error - "Certificate cannot be parsed"
        "The certificate cannot be parsed. Give it in PEM form.";
    30118 InvalidPrivateKey 400 error - "Invalid private key"
        "The private key cannot be used. Give it unencrypted in PEM form.";
    30119 KeyDoesNotMatchCertificate 400 error - "Key does not match the certificate"
        "The private key belongs to another certificate.";
    30120 CertificateNotUploaded 404 error - "No certificate uploaded"
        "No certificate was uploaded for this domain.";
    30121 MissingFallbackUrl 400 error - "FallbackUrl is missing"
        "The request needs a 'FallbackUrl'.";
    30122 InvalidFallbackUrl 400 error - "Invalid FallbackUrl"
        "The 'FallbackUrl' is not a usable URL.";
    30123 MissingClickCallbackUrl 400 error - "CallbackUrl is missing"
        "The request needs a 'CallbackUrl'.";
    30124 MissingLinkServiceSid 400 error - "MessagingServiceSid is missing"
        "The request needs a 'MessagingServiceSid'.";
    30127 InvalidLinkServiceSid 400 error - "Invalid MessagingServiceSid"
        "The 'MessagingServiceSid' is malformed or unknown.";
    30129 CertificateSelfSigned 400 error - "Certificate is self-signed"
        "The certificate is signed by no certificate authority.";
    30130 ServiceHasOtherDomain 409 error - "Messaging Service tied to another domain"
        "This Messaging Service already uses another link domain. Remove it there first.";
    30131 DomainCertificateExpiresSoon - warning - "Domain certificate expires soon"
        "The certificate of the link domain expires soon. Upload a new one.";
    30132 CertificateNotValidated 400 error - "Certificate cannot be validated"
        "The certificate leads to no trusted root, or does not cover the domain.";
    30133 CertificateNotStored 400 error - "Certificate could not be stored"
        "The certificate could not be stored. Upload it again.";
    30134 DomainDnsWrong - error - "DNS of the link domain is wrong"
        "The link domain's DNS records do not lead to this server.";
    30135 ManagedCertificateNotIssued - error - "Managed certificate not issued"
        "No certificate could be obtained for the link domain.";
    30136 ManagedCertificateNotRenewed - error - "Managed certificate not renewed"
        "The certificate of the link domain could not be renewed.";
    30139 LinkNotShortenable - error - "URL cannot be shortened"
        "A URL in the message is malformed and cannot be shortened. Percent-encode special characters.";

    // Cancelling, consent, fraud.
    30409 NotCancelable 409 error page "Message cannot be canceled"
        "Only a scheduled message can be canceled, and only before its time has come.";
    30450 BlockedAsFraud - error - "Message blocked as suspected fraud"
        "The message was blocked because the traffic to this destination looks fraudulent.";
    30630 RecipientWithdrewConsent - error - "Recipient withdrew consent"
        "The consent list says that this recipient opted out.";
    30646 ConsentRejected 400 error page "Consent entry rejected"
        "This entry of the consent list cannot be used.";
    30647 ContactRejected 400 error - "Contact entry rejected"
        "This entry of the contact list cannot be used.";

    // Scheduled messages.
    35111 MissingSendAt 400 error page "SendAt is missing"
        "A scheduled message needs 'SendAt', the time to send it at, in ISO 8601.";
    35114 SendAtNotSupported 400 error page "SendAt not supported"
        "Messages cannot be scheduled for this time.";
    35115 SendAtOutOfRange 400 error page "SendAt out of range"
        "'SendAt' must be more than 5 minutes and at most 35 days ahead.";
    35117 TooManyScheduled 400 error page "Too many scheduled messages"
        "This account has as many scheduled messages waiting as it may.";
    35118 ScheduleWithoutService 400 error page "Scheduling needs a Messaging Service"
        "A message can be scheduled only through a Messaging Service. Give its 'MessagingServiceSid'.";
    35126 InvalidScheduleType 400 error page "Invalid ScheduleType"
        "A message with 'SendAt' needs the 'ScheduleType' fixed; there is no other.";

    // WhatsApp and other channels.
    63001 ChannelRefusedCredentials - error - "Channel refused our credentials"
        "The channel did not accept the credentials of this sender. Ask the operator to renew them.";
    63002 ChannelFromUnknown - error - "Channel does not know 'From'"
        "The channel does not know the 'From' address.";
    63003 ChannelToUnknown - error - "Channel does not know 'To'"
        "The channel does not know the 'To' address.";
    63005 ChannelRejectedContent - error - "Channel rejected the content"
        "The channel did not accept the content of the message.";
    63006 ChannelFormatFailed - error - "Content cannot be formatted for the channel"
        "The content of the message has no form on this channel.";
    63007 ChannelSenderNotFound 400 error page "No channel sender with this 'From'"
        "This account has no channel sender with the 'From' address.";
    63008 ChannelMisconfigured - error page "Channel misconfigured"
        "The channel is not set up correctly on this server.";
    63009 ChannelServerError - error - "Channel provider error"
        "The channel's provider answered with a server error; its words are in the channel status message.";
    63010 ChannelAdapterFailed - error - "Internal error in the channel adapter"
        "The message could not be handed to the channel. The fault is on this server.";
    63011 ChannelInvalidRequest - error - "Invalid request to the channel"
        "The channel did not understand the request for this message.";
    63012 ChannelInternalError - error - "Internal error at the channel provider"
        "The channel's provider failed to process the message. Send again later.";
    63013 ChannelPolicyViolation - error - "Channel policy violation"
        "The message breaks a policy of the channel, or the account is restricted there.";
    63014 ChannelBlockedByUser - error - "Blocked by a user action"
        "An action of the recipient keeps this message from being delivered.";
    63015 ChannelSandboxNotJoined - error - "Recipient has not joined the sandbox"
        "A sandbox sender reaches only recipients that have joined it.";
    63016 ChannelWindowClosed - error - "Outside the 24-hour window"
        "The recipient has not written within 24 hours, so only a template can be sent.";
    63017 ChannelRateLimited - error - "Rate limit exceeded"
        "Messages were sent faster than allowed.";
    63018 ChannelProviderRateLimited - error - "Channel rate limit exceeded"
        "Messages were sent faster than the channel allows.";
    63019 ChannelMediaFailed - error - "Media could not be downloaded"
        "The media of the message could not be fetched from its URL.";
    63020 ChannelBusinessAccountError - error - "Business account error"
        "The business account behind this sender has a problem, for example with its billing.";
    63021 ChannelInvalidContent - error - "Content invalid for the channel"
        "The content of the message is not valid on this channel.";
    63022 ChannelDisplayNameInvalid - error - "Display name not approved"
        "The display name of this sender is not approved by the channel.";
    63023 ChannelOtherError - error - "Channel error"
        "The channel reported an error that we cannot translate; its words are in the channel status message.";
    63024 ChannelRecipientInvalid - error - "Recipient not on the channel"
        "The recipient cannot be reached on this channel.";
    63025 ChannelMediaExists - error - "Media already exists"
        "The channel already holds this media.";
    63026 ChannelSenderFlagged - error - "Sender flagged as spam"
        "The channel has flagged this sender's messages as spam.";
    63027 TemplateLanguageMissing - error - "Template lacks this language"
        "The template does not exist in the language asked for.";
    63028 TemplateParameterCount - error - "Wrong number of template parameters"
        "The number of parameters differs from what the template expects.";
    63029 TemplateNotLoaded - error - "Recipient could not load the template"
        "The recipient's app could not load the template.";
    63030 ChannelParameterUnsupported - error - "Parameter not supported on this channel"
        "A parameter of the message means nothing on this channel.";
    63031 ChannelToEqualsFrom - error - "'To' equals 'From' on the channel"
        "A message cannot be sent to its own sender.";
    63032 ChannelLimitsUser - error - "Channel limits messages to this user"
        "The channel does not let this message reach this recipient now.";
    63033 ChannelRecipientBlockedSender - error - "Recipient blocked the sender"
        "The recipient does not want messages from this sender.";
    63034 ChannelMediaTooLarge - error - "Media too large for the channel"
        "The media of the message is larger than the channel takes.";
    63035 RcsAgentNotLaunched - error - "RCS agent not launched"
        "An RCS agent that is not launched reaches only its invited testers.";
    63036 RcsUnreachable - error - "Not reachable over RCS"
        "The recipient cannot be reached over RCS at the moment.";
    63037 ChannelMediaUploadProblem - warning - "Media upload problem"
        "The media could not be uploaded to the channel at the first try.";
    63038 AccountDailyLimit - error - "Daily message limit reached"
        "The account has sent as many messages as it may today.";
    63039 ChannelConductWarning - warning - "Warning about conduct from the channel"
        "The channel warns that messages to this recipient may be felt as abuse. Send fewer of them.";
    63040 TemplateRejected - error - "Template rejected"
        "The channel rejected the template.";
    63041 TemplatePaused - error - "Template paused"
        "The channel paused the template because of its quality.";
    63042 TemplateDisabled - error - "Template disabled"
        "The channel disabled the template.";
    63049 ChannelWithheldMarketing - error - "Marketing message withheld"
        "The channel chose not to deliver this marketing message. Do not send it again at once.";

    // Settings of a Messaging Service.
    90007 InvalidServiceValidityPeriod 400 error page "Invalid validity period of a Messaging Service"
        "The 'ValidityPeriod' of a Messaging Service must be a whole number of seconds from 1 to 36000.";
}

#[cfg(test)]
mod tests;
