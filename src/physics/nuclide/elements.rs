//! Names of the elements.

/// Symbol and name of each element, by atomic number from 1.
const ELEMENTS: [(&str, &str); 118] = [
    ("H", "Hydrogen"),
    ("He", "Helium"),
    ("Li", "Lithium"),
    ("Be", "Beryllium"),
    ("B", "Boron"),
    ("C", "Carbon"),
    ("N", "Nitrogen"),
    ("O", "Oxygen"),
    ("F", "Fluorine"),
    ("Ne", "Neon"),
    ("Na", "Sodium"),
    ("Mg", "Magnesium"),
    ("Al", "Aluminium"),
    ("Si", "Silicon"),
    ("P", "Phosphorus"),
    ("S", "Sulfur"),
    ("Cl", "Chlorine"),
    ("Ar", "Argon"),
    ("K", "Potassium"),
    ("Ca", "Calcium"),
    ("Sc", "Scandium"),
    ("Ti", "Titanium"),
    ("V", "Vanadium"),
    ("Cr", "Chromium"),
    ("Mn", "Manganese"),
    ("Fe", "Iron"),
    ("Co", "Cobalt"),
    ("Ni", "Nickel"),
    ("Cu", "Copper"),
    ("Zn", "Zinc"),
    ("Ga", "Gallium"),
    ("Ge", "Germanium"),
    ("As", "Arsenic"),
    ("Se", "Selenium"),
    ("Br", "Bromine"),
    ("Kr", "Krypton"),
    ("Rb", "Rubidium"),
    ("Sr", "Strontium"),
    ("Y", "Yttrium"),
    ("Zr", "Zirconium"),
    ("Nb", "Niobium"),
    ("Mo", "Molybdenum"),
    ("Tc", "Technetium"),
    ("Ru", "Ruthenium"),
    ("Rh", "Rhodium"),
    ("Pd", "Palladium"),
    ("Ag", "Silver"),
    ("Cd", "Cadmium"),
    ("In", "Indium"),
    ("Sn", "Tin"),
    ("Sb", "Antimony"),
    ("Te", "Tellurium"),
    ("I", "Iodine"),
    ("Xe", "Xenon"),
    ("Cs", "Caesium"),
    ("Ba", "Barium"),
    ("La", "Lanthanum"),
    ("Ce", "Cerium"),
    ("Pr", "Praseodymium"),
    ("Nd", "Neodymium"),
    ("Pm", "Promethium"),
    ("Sm", "Samarium"),
    ("Eu", "Europium"),
    ("Gd", "Gadolinium"),
    ("Tb", "Terbium"),
    ("Dy", "Dysprosium"),
    ("Ho", "Holmium"),
    ("Er", "Erbium"),
    ("Tm", "Thulium"),
    ("Yb", "Ytterbium"),
    ("Lu", "Lutetium"),
    ("Hf", "Hafnium"),
    ("Ta", "Tantalum"),
    ("W", "Tungsten"),
    ("Re", "Rhenium"),
    ("Os", "Osmium"),
    ("Ir", "Iridium"),
    ("Pt", "Platinum"),
    ("Au", "Gold"),
    ("Hg", "Mercury"),
    ("Tl", "Thallium"),
    ("Pb", "Lead"),
    ("Bi", "Bismuth"),
    ("Po", "Polonium"),
    ("At", "Astatine"),
    ("Rn", "Radon"),
    ("Fr", "Francium"),
    ("Ra", "Radium"),
    ("Ac", "Actinium"),
    ("Th", "Thorium"),
    ("Pa", "Protactinium"),
    ("U", "Uranium"),
    ("Np", "Neptunium"),
    ("Pu", "Plutonium"),
    ("Am", "Americium"),
    ("Cm", "Curium"),
    ("Bk", "Berkelium"),
    ("Cf", "Californium"),
    ("Es", "Einsteinium"),
    ("Fm", "Fermium"),
    ("Md", "Mendelevium"),
    ("No", "Nobelium"),
    ("Lr", "Lawrencium"),
    ("Rf", "Rutherfordium"),
    ("Db", "Dubnium"),
    ("Sg", "Seaborgium"),
    ("Bh", "Bohrium"),
    ("Hs", "Hassium"),
    ("Mt", "Meitnerium"),
    ("Ds", "Darmstadtium"),
    ("Rg", "Roentgenium"),
    ("Cn", "Copernicium"),
    ("Nh", "Nihonium"),
    ("Fl", "Flerovium"),
    ("Mc", "Moscovium"),
    ("Lv", "Livermorium"),
    ("Ts", "Tennessine"),
    ("Og", "Oganesson"),
];
/// Other spellings.
const SPELLINGS: [(&str, &str); 3] = [("aluminum", "Al"), ("cesium", "Cs"), ("sulphur", "S")];

/// Symbol of the element that is meant by a symbol or a name, in whatever case.
pub(super) fn symbol(text: &str) -> Option<&'static str> {
    let element =
        ELEMENTS.iter().find(|(symbol, name)| [symbol, name].iter().any(|known| known.eq_ignore_ascii_case(text)));
    let spelling = || SPELLINGS.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(text));
    element.map(|(symbol, _)| *symbol).or_else(|| spelling().map(|(_, symbol)| *symbol))
}

/// Name of the element with a symbol.
pub(super) fn name(symbol: &str) -> Option<&'static str> {
    ELEMENTS.iter().find(|(known, _)| *known == symbol).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_names_are_known_in_any_case() {
        for (text, expected) in
            [("Lu", "Lu"), ("LU", "Lu"), ("lutetium", "Lu"), ("CESIUM", "Cs"), ("i", "I"), ("Lead", "Pb")]
        {
            assert_eq!(symbol(text), Some(expected));
        }
        assert_eq!((symbol(""), symbol("Xx"), symbol("é")), (None, None, None));
        assert_eq!((name("Tc"), name("tc")), (Some("Technetium"), None));
    }
}
