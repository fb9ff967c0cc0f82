#!/usr/bin/python3
"""`runner schema` against a real validator: every definition here is valid, every broken one that a schema can refuse is
refused.  Prints TAP."""
import glob
import json
import os
import re
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print('1..0 # SKIP', missing)
    sys.exit(0)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUNNER = os.path.abspath(os.path.join(os.environ.get('BUILD', 'build'), 'runner'))

# What only the whole definition, its files or its text tell: names that nobody has, patterns, templates, what YAML says
# twice.  Whatever else is in tests/broken must be refused.
BEYOND = set('''
bomb_calls bomb_text bomb_vars capture_of_constant deep_calls dolt_params dolt_queries dolt_sources engine_position
engine_recipe engine_recipe_looks engine_signals include_cycle include_missing include_tests include_twice_engine load_invariant procedure server_engine
server_envs server_names server_no_engine server_patterns server_prepare server_replica_cycle server_replica_of
server_same_name server_settings server_template server_testgendir step_background step_call_misspelt
step_capture_many step_clone step_close_twice step_connect_error step_empty_sql step_equal step_error_and_result
step_external step_follow_itself step_in_finally step_in_lane step_log step_no_on step_no_recipe step_nothing_asked
step_pattern step_query_idle step_result_nothing step_rows_file step_server step_session step_sleep_warning step_stage
step_stop_mode step_template step_variable step_variable_where_constant step_when step_within_exec test_same_name
topology unused_warning yaml_duplicate_key yaml_merge_twice yaml_no_tests
'''.split())


class Core(yaml.SafeLoader):
    """YAML 1.2's core scalars, as editors read them: `on` and `no` are words."""


Core.yaml_implicit_resolvers = {}
for tag, pattern, first in (('null', r'^(?:~|null|)$', ['~', 'n', '']), ('bool', r'^(?:true|false)$', list('tf')),
                            ('int', r'^[-+]?[0-9]+$', list('-+0123456789')),
                            ('float', r'^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$', list('-+.0123456789')),
                            ('merge', r'^<<$', ['<'])):
    Core.add_implicit_resolver('tag:yaml.org,2002:' + tag, re.compile(pattern), first)
Core.add_constructor('tag:yaml.org,2002:int', lambda loader, node: int(node.value))

points = failures = 0


def point(good, name, why=''):
    global points, failures
    points += 1
    failures += not good
    print(('ok' if good else 'not ok'), points, '-', name)
    if not good and why:
        print('# ' + str(why)[:600].replace('\n', '\n# '))


def problem(validator, path):
    """What YAML or the schema has against it; None: nothing."""
    try:
        with open(path, 'rb') as file:
            content = yaml.load(file, Core)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return error
    try:
        error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    except RecursionError as deep:
        return deep
    return error and '%s: %s' % (list(error.absolute_path), error.message[:300])


schema = json.loads(subprocess.run([RUNNER, 'schema'], check=True, capture_output=True).stdout)
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for path in sorted(glob.glob(ROOT + '/testdefs/*.yaml') + glob.glob(ROOT + '/tests/verdicts/*.yaml') + glob.glob(ROOT + '/tests/dolt/*.yaml')):
    why = problem(validator, path)
    point(why is None, os.path.relpath(path, ROOT) + ' is valid', why)
for path in sorted(glob.glob(ROOT + '/tests/broken/*.yaml')):
    name = os.path.basename(path)[:-len('.yaml')]
    refused = problem(validator, path) is not None
    point(refused != (name in BEYOND), 'broken/%s is %s' % (name, 'for the loader to refuse' if name in BEYOND else 'refused'))
print('1..%d' % points)
sys.exit(1 if failures else 0)
