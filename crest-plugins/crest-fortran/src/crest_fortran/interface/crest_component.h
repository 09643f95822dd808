/* CREST C interface 1: what a shared library exports to become a CREST component.
 *
 * The library is pure: crest_step reads parameters, inputs and state_in, writes state_out and outputs, and keeps
 * nothing between calls. A library with hidden memory sets crest_model.opaque: it gets no gradient and no restart.
 *
 * Arrays are float64. Each of the five arrays holds its fields one after the other, in the order of the
 * descriptions; a field has `levels` rows, a row has `columns` numbers that lie side by side:
 *     value of level l (from 0) of a field, column c:  array[(first_row + l) * columns + c]
 * In Fortran: real(c_double) :: inputs(columns, *), level l (from 1) of a field is inputs(:, first_row + l).
 * Columns are independent of each other: they are cells, ensemble members and finite-difference copies alike.
 *
 * Licence Apache-2.0; copy this file into your project.
 */
#ifndef CREST_COMPONENT_H
#define CREST_COMPONENT_H

#include <stdint.h>

#define CREST_API_VERSION 1

enum { CREST_INPUT = 1, CREST_OUTPUT = 2, CREST_STATE = 3, CREST_PARAMETER = 4 };

/* All structs arrive zeroed; what is left zero or empty means "none". Texts are ASCII, padded with blanks or 0. */
typedef struct crest_model {
    int32_t field_count;
    int32_t opaque; /* 1: the library keeps hidden memory between calls */
    char name[64];
    char version[64];
    char doc[256];
} crest_model;

typedef struct crest_field {
    int32_t kind;      /* CREST_INPUT ... CREST_PARAMETER */
    int32_t levels;    /* 1, or the number of layers; 0 reads as 1 */
    int32_t is_static; /* inputs: 1 if it has no time axis (elevation) */
    int32_t reserved;
    double lower, upper;  /* bounds in units, lower < upper; 0, 0: none. Parameters: needed to keep them physical */
    double top, bottom;   /* depth or height range of a single-level field [m], top < bottom; 0, 0: none */
    double initial[64];   /* states: value before the first step; parameters: default; per level (above 64: [0]) */
    char name[64];           /* [a-z][a-z0-9_]*, unique among the fields of its kind */
    char units[64];          /* UDUNITS text: "kg m-2 day-1" */
    char standard_name[128]; /* CF standard name */
    char cell_methods[32];   /* "time: mean" (default), "time: sum", "time: point", "time: minimum", "time: maximum" */
    char level_dim[32];      /* name of the level dimension, such as "soil_layer"; default "level" */
    char doc[256];
} crest_field;

/* Returns CREST_API_VERSION as it was when the library was compiled. */
int32_t crest_api_version(void);

/* Both fill the struct and return 0; index counts from 1 to field_count. */
int32_t crest_describe_model(crest_model *model);
int32_t crest_describe_field(int32_t index, crest_field *field);

/* Advances all columns by dt seconds; returns 0, or a status above 0 if it could not. */
int32_t crest_step(int32_t columns, double dt, const double *parameters, const double *inputs,
                   const double *state_in, double *state_out, double *outputs);

/* Optional, the adjoint of crest_step: from cotangents of state_out and outputs to those of parameters, inputs and
 * state_in, at the same arguments (v^T of the Jacobian of the step). All of d_parameters, d_inputs and d_state_in is
 * written. gradient=Pullback() uses it in place of finite differences. */
int32_t crest_pullback(int32_t columns, double dt, const double *parameters, const double *inputs,
                       const double *state_in, const double *d_state_out, const double *d_outputs,
                       double *d_parameters, double *d_inputs, double *d_state_in);

/* Optional: writes at most `length` characters that explain a status. */
void crest_message(int32_t status, int32_t length, char *text);

#endif
