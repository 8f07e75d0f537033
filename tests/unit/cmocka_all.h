/* cmocka.h with the headers that it wants to see before itself. */
#ifndef INTAKE_TESTS_CMOCKA_ALL_H
#define INTAKE_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
