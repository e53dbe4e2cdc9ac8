//! Exact sums and averages against what PostgreSQL 15 says.

use crate::functions::testing::check;

#[test]
fn the_answers_are_the_same() {
    check(&[
        ("(select fl_sum_numeric(column1) from (values (fl_numeric_in('NaN')),(fl_numeric_in('1'))))", "NaN"),
        ("(select fl_sum_numeric(column1) from (values (fl_numeric_in('5'))))", "5"),
        (
            "(select fl_sum_numeric(column1) from (values (fl_numeric_in('Infinity')),(fl_numeric_in('1'))))",
            "Infinity",
        ),
        (
            "(select fl_sum_numeric(column1) from (values (fl_numeric_in('1')),(fl_numeric_in('2')),(fl_numeric_in('3'))))",
            "6",
        ),
        (
            "(select fl_avg_numeric(column1) from (values (fl_numeric_in('5')),(fl_numeric_in('5.00'))))",
            "5.0000000000000000",
        ),
        (
            "(select fl_avg_numeric(column1) from (values (fl_numeric_in('1.10')),(fl_numeric_in('2')),(fl_numeric_in('-3.555'))))",
            "-0.15166666666666666667",
        ),
        (
            "(select fl_avg_numeric(column1) from (values (fl_numeric_in('1')),(fl_numeric_in('2')),(fl_numeric_in('3'))))",
            "2.0000000000000000",
        ),
        (
            "(select fl_avg_numeric(column1) from (values (fl_numeric_in('0.001')),(fl_numeric_in('0.002')),(fl_numeric_in('0.0035'))))",
            "0.00216666666666666667",
        ),
        (
            "(select fl_var_pop(column1) from (values (fl_numeric_in('0.001')),(fl_numeric_in('0.002')),(fl_numeric_in('0.0035'))))",
            "0.000001055555555555555556",
        ),
        (
            "(select fl_var_pop(column1) from (values (fl_numeric_in('Infinity')),(fl_numeric_in('-Infinity'))))",
            "NaN",
        ),
        (
            "(select fl_var_pop(column1) from (values (fl_numeric_in('1')),(fl_numeric_in('2')),(fl_numeric_in('3'))))",
            "0.66666666666666666667",
        ),
        ("(select fl_var_pop(column1) from (values (fl_numeric_in('5'))))", "0"),
        (
            "(select fl_var_samp(column1) from (values (fl_numeric_in('1')),(fl_numeric_in('2')),(fl_numeric_in('3'))))",
            "1.00000000000000000000",
        ),
        ("(select fl_var_samp(column1) from (values (fl_numeric_in('NaN')),(fl_numeric_in('1'))))", "NaN"),
        ("(select fl_var_samp(column1) from (values (fl_numeric_in('5'))))", "NULL"),
        (
            "(select fl_var_samp(column1) from (values (9223372036854775807),(9223372036854775807),(1)))",
            "28356863910078205276316721236840983212",
        ),
        (
            "(select fl_stddev_pop(column1) from (values (fl_numeric_in('1.10')),(fl_numeric_in('2')),(fl_numeric_in('-3.555'))))",
            "2.4344072972468861",
        ),
        (
            "(select fl_stddev_pop(column1) from (values (fl_numeric_in('1')),(fl_numeric_in('2')),(fl_numeric_in('3'))))",
            "0.81649658092772603273",
        ),
        (
            "(select fl_stddev_pop(column1) from (values (fl_numeric_in('Infinity')),(fl_numeric_in('1'))))",
            "NaN",
        ),
        ("(select fl_stddev_pop(column1) from (values (fl_numeric_in('0')),(fl_numeric_in('0'))))", "0"),
        ("(select fl_stddev_samp(column1) from (values (fl_numeric_in('NaN')),(fl_numeric_in('1'))))", "NaN"),
        ("(select fl_stddev_samp(column1) from (values (fl_numeric_in('5')),(fl_numeric_in('5.00'))))", "0"),
        ("(select fl_stddev_samp(column1) from (values (fl_numeric_in('5'))))", "NULL"),
        (
            "(select fl_stddev_samp(column1) from (values (fl_numeric_in('1.10')),(fl_numeric_in('2')),(fl_numeric_in('-3.555'))))",
            "2.9815278521813834",
        ),
        ("fl_greatest(1700,fl_numeric_in('Infinity'),fl_numeric_in('1'))", "Infinity"),
        ("fl_greatest(1700,fl_numeric_in('0.001'),fl_numeric_in('0.002'),fl_numeric_in('0.0035'))", "0.0035"),
        ("fl_greatest(1700,fl_numeric_in('0'),fl_numeric_in('0'))", "0"),
        ("fl_greatest(1700,fl_numeric_in('1.10'),fl_numeric_in('2'),fl_numeric_in('-3.555'))", "2"),
        ("fl_least(1700,fl_numeric_in('5'))", "5"),
        (
            "fl_least(1700,fl_numeric_in('123456789012345678901234567890'),fl_numeric_in('1e-10'))",
            "0.0000000001",
        ),
        ("fl_least(1700,fl_numeric_in('NaN'),fl_numeric_in('1'))", "1"),
        ("fl_least(1700,fl_numeric_in('Infinity'),fl_numeric_in('-Infinity'))", "-Infinity"),
        (
            "(select fl_sum_int8(column1) from (values (9223372036854775807),(9223372036854775807),(1)))",
            "18446744073709551615",
        ),
        (
            "(select fl_avg_int8(column1) from (values (9223372036854775807),(9223372036854775807),(1)))",
            "6148914691236517205",
        ),
        ("(select group_concat(value,';') from fl_series_numeric('3','1','-1'))", "3;2;1"),
        ("(select group_concat(value,';') from fl_series_numeric('1','3','1'))", "1;2;3"),
        ("(select group_concat(value,';') from fl_series_numeric('1','2','0.25'))", "1;1.25;1.50;1.75;2.00"),
        (
            "(select group_concat(value,';') from fl_series_numeric('1','2','0'))",
            "22023: step size cannot equal zero",
        ),
        (
            "(select group_concat(value,';') from fl_series_numeric('NaN','1','1'))",
            "22023: start value cannot be NaN",
        ),
    ]);
}
