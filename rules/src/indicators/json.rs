//! JSON without a tree: entries go to their reader one by one, and of each only the fields that it asks for are kept. Takes text that
//! was bounded before; gives STIX and MISP to their readers. A field of the wrong type is the entry's fault, not the file's.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::limits::{LIST, TEXT_BYTES};
use super::reading::Reading;
use super::{misp, stix};

/// Reads a bundle or an event. Where the text stops being JSON, what came before is kept.
pub(super) fn read(text: &str, reading: &mut Reading) -> Result<(), (u32, String)> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Seed(Top(reading)).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        (line, format!("is not JSON from here on, and is not read any further: {error}"))
    })?;
    if !reading.has_entries {
        let message = "holds neither a STIX bundle (`objects`) nor a MISP event (`Event` with `Attribute`)";
        return Err((0, message.to_owned()));
    }
    Ok(())
}

/// What a reader does with an object or a list; anything else gives nothing, and is no error.
pub(super) trait Take<'de>: Sized {
    type Out: Default;

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Out::default())
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Out, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Out::default())
    }

    fn scalar(self, _: Scalar<'_>) -> Self::Out {
        Self::Out::default()
    }
}

/// What is neither an object nor a list.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Whole(i64),
    Fraction,
    Text(&'a str),
}

/// A reader in the form that the parser asks for.
pub(super) struct Seed<T>(pub(super) T);

impl<'de, T: Take<'de>> DeserializeSeed<'de> for Seed<T> {
    type Value = T::Out;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Out, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Take<'de>> Visitor<'de> for Seed<T> {
    type Value = T::Out;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<T::Out, E> {
        Ok(self.0.scalar(Scalar::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<T::Out, E> {
        Ok(self.0.scalar(Scalar::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<T::Out, E> {
        Ok(self.0.scalar(Scalar::Whole(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<T::Out, E> {
        Ok(self.0.scalar(i64::try_from(value).map_or(Scalar::Fraction, Scalar::Whole)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<T::Out, E> {
        Ok(self.0.scalar(Scalar::Fraction))
    }

    fn visit_str<E>(self, text: &str) -> Result<T::Out, E> {
        Ok(self.0.scalar(Scalar::Text(text)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T::Out, A::Error> {
        self.0.object(map)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T::Out, A::Error> {
        self.0.list(list)
    }
}

/// Which of some names a key is.
pub(super) struct Among<'k>(pub(super) &'k [&'static str]);

impl Take<'_> for Among<'_> {
    type Out = Option<usize>;

    fn scalar(self, scalar: Scalar<'_>) -> Option<usize> {
        let Scalar::Text(key) = scalar else { return None };
        self.0.iter().position(|name| *name == key)
    }
}

/// The value of a field, whatever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Loose {
    #[default]
    Missing,
    Bool(bool),
    Whole(i64),
    Text(String),
    /// A text of so many bytes, which are too many.
    TooLong(usize),
    /// The first texts of a list.
    List(Vec<String>),
    /// An object, or a fraction.
    Other,
}

impl Loose {
    /// The text; empty where there is none.
    pub(super) fn text(&self) -> &str {
        match self {
            Loose::Text(text) => text,
            _ => "",
        }
    }

    /// The text that must be there, or what is there instead.
    pub(super) fn must(&self) -> Result<&str, String> {
        match self {
            Loose::Text(text) if !text.trim().is_empty() => Ok(text),
            Loose::Text(_) => Err("is empty".to_owned()),
            Loose::Missing => Err("is missing".to_owned()),
            Loose::TooLong(bytes) => Err(format!("has {bytes} bytes; at most {TEXT_BYTES} are allowed")),
            Loose::Bool(_) | Loose::Whole(_) | Loose::List(_) | Loose::Other => Err("must be text".to_owned()),
        }
    }
}

/// Keeps one value.
pub(super) struct Keep;

impl<'de> Take<'de> for Keep {
    type Out = Loose;

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = list.next_element_seed(Seed(Keep))? {
            if let Loose::Text(text) = item
                && texts.len() < LIST
            {
                texts.push(text);
            }
        }
        Ok(Loose::List(texts))
    }

    fn scalar(self, scalar: Scalar<'_>) -> Loose {
        match scalar {
            Scalar::Null => Loose::Missing,
            Scalar::Bool(value) => Loose::Bool(value),
            Scalar::Whole(value) => Loose::Whole(value),
            Scalar::Fraction => Loose::Other,
            Scalar::Text(text) if text.len() > TEXT_BYTES => Loose::TooLong(text.len()),
            Scalar::Text(text) => Loose::Text(text.to_owned()),
        }
    }
}

/// Keeps the named fields of an object; gives `None` for what is no object.
pub(super) struct Pick<const N: usize>(pub(super) &'static [&'static str; N]);

impl<'de, const N: usize> Take<'de> for Pick<N> {
    type Out = Option<[Loose; N]>;

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Out, A::Error> {
        let mut values = [const { Loose::Missing }; N];
        while let Some(key) = map.next_key_seed(Seed(Among(self.0)))? {
            match key.and_then(|key| values.get_mut(key)) {
                Some(value) => *value = map.next_value_seed(Seed(Keep))?,
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(Some(values))
    }
}

/// The whole file: a bundle, an event, or a list of events.
struct Top<'r>(&'r mut Reading);

impl<'de> Take<'de> for Top<'_> {
    type Out = ();

    fn object<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(Seed(Among(&["objects", "Event", "response"])))? {
            match key {
                Some(0) => map.next_value_seed(Seed(stix::Objects(self.0)))?,
                Some(1) => map.next_value_seed(Seed(misp::Event(self.0)))?,
                Some(_) => map.next_value_seed(Seed(Top(self.0)))?,
                None => map.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Seed(Top(self.0)))?.is_some() {}
        Ok(())
    }
}
