"""The studies: questions asked as data, answered over many seeds.

`catalog` holds one question a file; `grid` turns it into runs, `run` has them trained and recorded, `claims` and
`statistics` weigh what came out, and `evaluation` hands the findings to whoever draws them.
"""
