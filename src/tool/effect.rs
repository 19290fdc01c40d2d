//! What a tool does to the world.

/// What a tool does to the world. It decides the annotations that clients go by when they ask their user, and the scope
/// that a token needs where the tool names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Looks, changes nothing. Scope `tools:read`.
    #[default]
    Reads,
    /// Changes something that can be changed back. Scope `tools:write`.
    Writes,
    /// May lose something. Scope `tools:write`.
    Destroys,
}

impl Effect {
    /// As lists show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::Reads => "reads",
            Effect::Writes => "writes",
            Effect::Destroys => "destroys",
        }
    }
}
