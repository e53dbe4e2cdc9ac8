//! Arrays against what PostgreSQL 15 says.

use crate::functions::testing::check;

#[test]
fn the_answers_are_the_same() {
    check(&[
        ("fl_array_of(1, NULL, 'a', x'01', 0.5)", "[1,null,\"a\",\"\\\\x01\",0.5]"),
        (
            "fl_array_text(1007,fl_array_cat(fl_array_in(1007,'{1,NULL}'),fl_array_in(1007,'{5}')))",
            "{1,NULL,5}",
        ),
        (
            "fl_array_text(1007,fl_array_cat(fl_array_in(1007,'{{1,2},{3,4}}'),fl_array_in(1007,'{1,NULL}')))",
            "{{1,2},{3,4},{1,NULL}}",
        ),
        ("fl_array_text(1007,fl_array_cat(fl_array_in(1007,'{5}'),fl_array_in(1007,'{}')))", "{5}"),
        (
            "fl_array_text(1007,fl_array_cat(fl_array_in(1007,'{1,NULL}'),fl_array_in(1007,'{{1,2},{3,4}}')))",
            "{{1,NULL},{1,2},{3,4}}",
        ),
        ("fl_array_contains(1007,fl_array_in(1007,'{{1,2},{3,4}}'),fl_array_in(1007,'{{5,6}}'))", "0"),
        ("fl_array_contains(1007,fl_array_in(1007,'{{{1}}}'),fl_array_in(1007,'{{{1}}}'))", "1"),
        ("fl_array_overlaps(1007,fl_array_in(1007,'{2,2}'),fl_array_in(1007,'{1,NULL}'))", "0"),
        ("fl_array_overlaps(1007,fl_array_in(1007,'{1,2,3}'),fl_array_in(1007,'{{1,2},{3,4}}'))", "1"),
        ("fl_array_text(1007,fl_array_append(fl_array_in(1007,'{2,2}'),null))", "{2,2,NULL}"),
        ("fl_array_text(1007,fl_array_append(fl_array_in(1007,'{1,NULL}'),7))", "{1,NULL,7}"),
        ("fl_array_text(1007,fl_array_append(fl_array_in(1007,'{}'),7))", "{7}"),
        ("fl_array_text(1007,fl_array_append(fl_array_in(1007,'{1,2,3}'),null))", "{1,2,3,NULL}"),
        (
            "fl_array_text(1007,fl_array_append(fl_array_in(1007,'{{5,6}}'),null))",
            "22000: argument must be empty or one-dimensional array",
        ),
        ("fl_array_text(1007,fl_array_prepend(7,fl_array_in(1007,'{5}')))", "{7,5}"),
        ("fl_array_text(1007,fl_array_prepend(7,fl_array_in(1007,'{1,2,3}')))", "{7,1,2,3}"),
        ("fl_array_text(1007,fl_array_prepend(7,fl_array_in(1007,'{2,2}')))", "{7,2,2}"),
        ("fl_array_text(1007,fl_array_prepend(7,fl_array_in(1007,'{}')))", "{7}"),
        (
            "fl_array_text(1007,fl_array_prepend(7,fl_array_in(1007,'{{1,2},{3,4}}')))",
            "22000: argument must be empty or one-dimensional array",
        ),
        ("fl_array_ndims(fl_array_in(1007,'{5}'))", "1"),
        ("fl_array_ndims(fl_array_in(1007,'{{5,6}}'))", "2"),
        ("fl_array_ndims(fl_array_in(1007,'{}'))", "NULL"),
        ("fl_array_ndims(fl_array_in(1007,'{{{1}}}'))", "3"),
        ("fl_array_dims(fl_array_in(1007,'{{5,6}}'))", "[1:1][1:2]"),
        ("fl_array_dims(fl_array_in(1007,'{2,2}'))", "[1:2]"),
        ("fl_array_dims(fl_array_in(1007,'{{{1}}}'))", "[1:1][1:1][1:1]"),
        ("fl_array_dims(fl_array_in(1007,'{{1,2},{3,4}}'))", "[1:2][1:2]"),
        ("fl_cardinality(fl_array_in(1007,'{{5,6}}'))", "2"),
        ("fl_cardinality(fl_array_in(1007,'{}'))", "0"),
        ("fl_cardinality(fl_array_in(1007,'{{{1}}}'))", "1"),
        ("fl_cardinality(fl_array_in(1007,'{{1,2},{3,4}}'))", "4"),
        ("fl_array_length(fl_array_in(1007,'{1,2,3}'),1)", "3"),
        ("fl_array_length(fl_array_in(1007,'{{1,2},{3,4}}'),3)", "NULL"),
        ("fl_array_length(fl_array_in(1007,'{{{1}}}'),1)", "1"),
        ("fl_array_length(fl_array_in(1007,'{{5,6}}'),2)", "2"),
        ("fl_array_lower(fl_array_in(1007,'{2,2}'),1)", "1"),
        ("fl_array_lower(fl_array_in(1007,'{5}'),3)", "NULL"),
        ("fl_array_text(1007,fl_trim_array(fl_array_in(1007,'{2,2}'),1))", "{2}"),
        ("fl_array_text(1007,fl_trim_array(fl_array_in(1007,'{1,2,3}'),1))", "{1,2}"),
        ("fl_array_text(1007,fl_trim_array(fl_array_in(1007,'{1,NULL}'),1))", "{1}"),
        ("fl_array_text(1007,fl_trim_array(fl_array_in(1007,'{{5,6}}'),1))", "{}"),
        (
            "fl_array_text(1007,fl_trim_array(fl_array_in(1007,'{1,2,3}'),-1))",
            "2202E: number of elements to trim must be between 0 and 3",
        ),
        (
            "fl_array_text(1007,fl_trim_array(fl_array_in(1007,'{5}'),3))",
            "2202E: number of elements to trim must be between 0 and 1",
        ),
        ("fl_array_get(1007,fl_array_in(1007,'{2,2}'),0)", "NULL"),
        ("fl_array_get(1007,fl_array_in(1007,'{5}'),1)", "5"),
        ("fl_array_get(1007,fl_array_in(1007,'{{1,2},{3,4}}'),2,1)", "3"),
        ("fl_array_get(1007,fl_array_in(1007,'{2,2}'),2)", "2"),
        ("fl_array_text(1007,fl_array_slice(fl_array_in(1007,'{1,2,3}'),2,2))", "{2}"),
        ("fl_array_text(1007,fl_array_slice(fl_array_in(1007,'{{{1}}}'),1,2))", "{{{1}}}"),
        ("fl_array_text(1007,fl_array_slice(fl_array_in(1007,'{1,2,3}'),NULL,1))", "{1}"),
        ("fl_array_text(1007,fl_array_slice(fl_array_in(1007,'{{1,2},{3,4}}'),2,2))", "{{3,4}}"),
        ("fl_array_position(1007,fl_array_in(1007,'{1,2,3}'),null,1)", "NULL"),
        ("fl_array_position(1007,fl_array_in(1007,'{2,2}'),2,2)", "2"),
        ("fl_array_position(1007,fl_array_in(1007,'{2,2}'),2,1)", "1"),
        (
            "fl_array_position(1007,fl_array_in(1007,'{{{1}}}'),5,1)",
            "0A000: searching for elements in multidimensional arrays is not supported",
        ),
        ("fl_array_text(1007,fl_array_positions(1007,fl_array_in(1007,'{1,2,3}'),2))", "{2}"),
        ("fl_array_text(1007,fl_array_positions(1007,fl_array_in(1007,'{}'),null))", "{}"),
        ("fl_array_text(1007,fl_array_positions(1007,fl_array_in(1007,'{2,2}'),2))", "{1,2}"),
        ("fl_array_text(1007,fl_array_positions(1007,fl_array_in(1007,'{5}'),5))", "{1}"),
        (
            "fl_array_text(1007,fl_array_positions(1007,fl_array_in(1007,'{{{1}}}'),5))",
            "0A000: searching for elements in multidimensional arrays is not supported",
        ),
        ("fl_array_text(1007,fl_array_remove(1007,fl_array_in(1007,'{1,NULL}'),5))", "{1,NULL}"),
        ("fl_array_text(1007,fl_array_remove(1007,fl_array_in(1007,'{1,2,3}'),2))", "{1,3}"),
        ("fl_array_text(1007,fl_array_remove(1007,fl_array_in(1007,'{1,NULL}'),null))", "{1}"),
        ("fl_array_text(1007,fl_array_remove(1007,fl_array_in(1007,'{2,2}'),5))", "{2,2}"),
        (
            "fl_array_text(1007,fl_array_remove(1007,fl_array_in(1007,'{{{1}}}'),null))",
            "0A000: removing elements from multidimensional arrays is not supported",
        ),
        ("fl_array_text(1007,fl_array_replace(1007,fl_array_in(1007,'{1,2,3}'),2,9))", "{1,9,3}"),
        ("fl_array_text(1007,fl_array_replace(1007,fl_array_in(1007,'{2,2}'),5,9))", "{2,2}"),
        ("fl_array_text(1007,fl_array_replace(1007,fl_array_in(1007,'{{1,2},{3,4}}'),2,9))", "{{1,9},{3,4}}"),
        ("fl_array_text(1007,fl_array_replace(1007,fl_array_in(1007,'{5}'),5,9))", "{9}"),
        ("fl_array_to_string(1007,fl_array_in(1007,'{1,NULL}'),',',NULL)", "1"),
        ("fl_array_to_string(1007,fl_array_in(1007,'{2,2}'),',',NULL)", "2,2"),
    ]);
}

#[test]
fn more_answers_are_the_same() {
    check(&[
        ("fl_array_to_string(1007,fl_array_in(1007,'{1,2,3}'),',',NULL)", "1,2,3"),
        ("fl_array_to_string(1007,fl_array_in(1007,'{{5,6}}'),',',NULL)", "5,6"),
        ("fl_array_to_json(1007,fl_array_in(1007,'{1,NULL}'),1)", "[1,\n null]"),
        ("fl_array_to_json(1007,fl_array_in(1007,'{2,2}'),1)", "[2,\n 2]"),
        ("fl_array_to_json(1007,fl_array_in(1007,'{1,2,3}'),1)", "[1,\n 2,\n 3]"),
        ("fl_array_to_json(1007,fl_array_in(1007,'{}'),1)", "[]"),
        (
            "fl_array_text(1007,fl_array_fill(null,fl_array_in(1007,'{1,2,3}')))",
            "{{{NULL,NULL,NULL},{NULL,NULL,NULL}}}",
        ),
        ("fl_array_text(1007,fl_array_fill(4,fl_array_in(1007,'{2,2}')))", "{{4,4},{4,4}}"),
        ("fl_array_text(1007,fl_array_fill(null,fl_array_in(1007,'{}')))", "{}"),
        ("fl_array_text(1007,fl_array_fill(null,fl_array_in(1007,'{5}')))", "{NULL,NULL,NULL,NULL,NULL}"),
        (
            "fl_array_text(1007,fl_array_fill(null,fl_array_in(1007,'{{{1}}}')))",
            "2202E: wrong number of array subscripts",
        ),
        (
            "fl_array_text(1007,fl_array_fill(4,fl_array_in(1007,'{1,NULL}')))",
            "22004: dimension values cannot be null",
        ),
        ("fl_array_width_bucket(23,2,fl_array_in(1007,'{5}'))", "0"),
        ("fl_array_width_bucket(23,2,fl_array_in(1007,'{1,2,3}'))", "2"),
        (
            "fl_array_width_bucket(23,2,fl_array_in(1007,'{1,NULL}'))",
            "22004: thresholds array must not contain NULLs",
        ),
        (
            "fl_array_width_bucket(23,2,fl_array_in(1007,'{{5,6}}'))",
            "2202E: thresholds must be one-dimensional array",
        ),
        (
            "(select group_concat(ifnull(value,'N'),';') from fl_unnest(1007,fl_array_in(1007,'{{5,6}}')))",
            "5;6",
        ),
        (
            "(select group_concat(ifnull(value,'N'),';') from fl_unnest(1007,fl_array_in(1007,'{{{1}}}')))",
            "1",
        ),
        (
            "(select group_concat(ifnull(value,'N'),';') from fl_unnest(1007,fl_array_in(1007,'{2,2}')))",
            "2;2",
        ),
        ("(select group_concat(ifnull(value,'N'),';') from fl_unnest(1007,fl_array_in(1007,'{}')))", "NULL"),
        ("(select group_concat(value,';') from fl_subscripts(fl_array_in(1007,'{1,2,3}'),1,1))", "3;2;1"),
        ("(select group_concat(value,';') from fl_subscripts(fl_array_in(1007,'{{1,2},{3,4}}'),1,1))", "2;1"),
        ("(select group_concat(value,';') from fl_subscripts(fl_array_in(1007,'{}'),1,1))", "NULL"),
        ("(select group_concat(value,';') from fl_subscripts(fl_array_in(1007,'{5}'),1,1))", "1"),
        ("fl_array_text(1009,fl_string_to_array('abc','bc','b'))", "{a,\"\"}"),
        ("fl_array_text(1009,fl_string_to_array('abc',null,null))", "{a,b,c}"),
        ("fl_array_text(1009,fl_string_to_array('a,,b',null,'b'))", "{a,\",\",\",\",NULL}"),
        ("fl_array_text(1009,fl_string_to_array('a,,b',null,null))", "{a,\",\",\",\",b}"),
        (
            "fl_array_text(1231,(select fl_array_agg(column1) from (values (fl_numeric_in('1.10')),(fl_numeric_in('2')),(fl_numeric_in('-3.555')))))",
            "{1.10,2,-3.555}",
        ),
        (
            "fl_array_text(1231,(select fl_array_agg(column1) from (values (fl_numeric_in('NaN')),(fl_numeric_in('1')))))",
            "{NaN,1}",
        ),
        (
            "fl_array_text(1231,(select fl_array_agg(column1) from (values (fl_numeric_in('5')),(fl_numeric_in('5.00')))))",
            "{5,5.00}",
        ),
        ("fl_array_text(1231,(select fl_array_agg(column1) from (values (fl_numeric_in('5')))))", "{5}"),
    ]);
}
