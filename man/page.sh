#!/bin/sh
# Turns scdoc's form into a man page that asks man(1) for tbl(1), which tables need. No word is broken, and every hyphen is a
# minus: what is an option or a name stays whole, and can be copied. A line may end behind the bar of one|other.
# AD: from groff 1.23 on .TH forgets that scdoc asks for lines that are not stretched.
cat <<'FIRST'
'\" t
.nr HY 0
.ds AD l
FIRST
"${1:-scdoc}" | sed "/^[.']/!{
	s/\\\\-/-/g
	s/-/\\\\-/g
	s/\\([a-z]\\)|\\([a-z]\\)/\\1|\\\\:\\2/g
}"
