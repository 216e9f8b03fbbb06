"""What can be computed for any value: data, by name. All else may fail for some rows (division by zero, a number that
is too large, a text that is no number), and so tell by its error, or by failing at all, that it met such a row.

How expressions are put together of these is in `masking/order_failures.py`. Left aside is what no client can bring
about with rows that fit into a table: running out of memory.
"""

from __future__ import annotations

from penstock_core.sql.allowlists.words import words

# Functions of any arguments that they take.
TOTAL_FUNCTIONS = words("""
    array_dims array_length array_lower array_ndims array_to_string array_upper bit_length btrim cardinality char_length
    character_length clock_timestamp concat concat_ws current_database current_schema current_user gen_random_uuid
    hashtext initcap isfinite jsonb_typeof length lower ltrim md5 now num_nonnulls num_nulls octet_length pg_typeof
    position quote_ident quote_literal quote_nullable random replace reverse row_to_json rtrim session_user sha224
    sha256 sha384 sha512 sign starts_with statement_timestamp strpos to_json to_jsonb transaction_timestamp upper
    uuidv4 uuidv7
""")
# Of these, those that with more arguments are functions which may fail: a text in an encoding, a number between two.
MOST_ARGUMENTS = {"length": 1, "random": 0, "uuidv7": 0}
# Those that fail for a text whose collation is not clear; and for any text of one that knows no parts of texts.
BY_COLLATION = words("hashtext initcap lower upper")
OF_PARTS = words("position replace starts_with strpos")
# Those whose first argument fails, or does not, whatever the rows are: written out, it is the same for all of them.
TOTAL_BY_FIRST = words("date_part extract")
# Those whose other arguments do, if they are whole numbers that are written out and not negative.
TOTAL_BY_NUMBERS = words("left right substr substring")

# Aggregates and window functions of any values.
TOTAL_AGGREGATES = words("""
    array_agg bool_and bool_or count every json_agg jsonb_agg max min string_agg
    cume_dist dense_rank first_value last_value percent_rank rank row_number
""")
# And these of numbers that add up exactly, in a type that holds the sum of all rows that there can be.
TOTAL_SUMS = words("avg sum")

# Operators between values of any one type; for `->` and its kin of all types but json, whose texts may be malformed.
COMPARISONS = words("= <> != < <= > >=")
TOTAL_OPERATORS = words("@> <@ && ? ?| ?&")
OF_JSONB = words("-> ->> #> #>>")

# Casts that hold every value: from type to types. To text leads one from each type of the system's.
WIDER: dict[str, frozenset[str]] = {
    "int2": words("int2 int4 int8 numeric float4 float8"),
    "int4": words("int4 int8 numeric float8"),
    "int8": words("int8 numeric float8"),
    "float4": words("float4 float8"),
    "bool": words("bool int4"),
    "timestamp": words("timestamp date"),
    **{name: frozenset({name}) for name in ("numeric", "float8", "date", "timestamptz", "uuid", "jsonb", "oid")},
}
TEXTS = words("text varchar bpchar name")
FLOATS = words("float4 float8")
# What has a collation.
COLLATED = TEXTS | words("citext")
# What numbers are turned into, though not all of them fit.
OIDS = words("""
    oid regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole
    regtype
""")
# Types whose operators compute something that may be too large, or take no values of two systems or sizes.
FALLIBLE = words("box circle geography geometry halfvec line lseg path point polygon sparsevec vector")
# Types of which any two values are compared, whatever they are.
_STEADY = words("""
    bit bool bytea char cidr date datemultirange daterange hstore inet int2 int4 int4multirange int4range int8
    int8multirange int8range interval jsonb ltree macaddr macaddr8 money nummultirange numrange numeric pg_lsn time
    timestamp timestamptz timetz tid tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector uuid varbit xid xid8
""")
STEADY = _STEADY | COLLATED | FLOATS | OIDS

# Types of which no two values are equal and look different: not so numeric (1.0 and 1.00), floating point (0 and -0),
# interval (a month and 30 days), citext, what has numbers in it (jsonb, ranges) nor texts of other collations.
ALIKE = words("""
    bool bytea date int2 int4 int8 macaddr macaddr8 money oid time timestamp timestamptz uuid
""")
ALIKE_TEXTS = words("text varchar name")
# Functions that give such values, whatever they are of.
GIVING_ALIKE = words("""
    bit_length cardinality char_length character_length count date_part date_trunc dense_rank extract length md5
    octet_length ntile now rank row_number to_char
""")
