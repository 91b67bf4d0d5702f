// The lists of tests, each in a file of its own, ended by one without a function.

#ifndef LISTS_H
#define LISTS_H

#include "check.h"

extern const test connect_tests[];
extern const test wait_tests[];
extern const test statement_tests[];
extern const test stream_tests[];
extern const test keys_tests[];
extern const test replay_tests[];
extern const test mark_tests[];
extern const test source_tests[];
extern const test pooler_tests[];
extern const test sweep_tests[];

extern const test server_session_tests[];
extern const test server_delta_tests[];
extern const test server_replay_tests[];
extern const test server_mark_tests[];
extern const test server_table_tests[];
extern const test server_table_mark_tests[];
extern const test server_plan_tests[];

#endif
