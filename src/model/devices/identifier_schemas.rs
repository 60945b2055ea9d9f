//! The OpenAPI schemas of device identifiers, shared by every field that takes one.

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::model::devices::identifiers::{OktaDeviceId, SerialNumber, Udid};

const UDID_PATTERN: &str = "^([0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{16}|[0-9A-Fa-f]{40})$";

impl SerialNumber {
    pub const EXAMPLE: &str = "C02ABC123DEF";

    pub fn schema() -> Object {
        text("^[A-Za-z0-9]+$")
            .min_length(Some(Self::MIN_LEN))
            .max_length(Some(Self::MAX_LEN))
            .build()
    }

    pub fn schema_with_example() -> Object {
        with_example(Self::schema(), Self::EXAMPLE)
    }
}

impl Udid {
    pub const EXAMPLE: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";

    pub fn schema() -> Object {
        text(UDID_PATTERN).build()
    }

    pub fn schema_with_example() -> Object {
        with_example(Self::schema(), Self::EXAMPLE)
    }
}

impl OktaDeviceId {
    pub const EXAMPLE: &str = "guo1a2b3c4d5e6f7g8h9";

    pub fn schema() -> Object {
        text("^[!-~]+$").min_length(Some(1)).max_length(Some(Self::MAX_LEN)).build()
    }

    pub fn schema_with_example() -> Object {
        with_example(Self::schema(), Self::EXAMPLE)
    }
}

fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

#[expect(deprecated, reason = "the derived schemas use `example`, too")]
fn with_example(schema: Object, example: &str) -> Object {
    ObjectBuilder::from(schema).example(Some(example.into())).build()
}
