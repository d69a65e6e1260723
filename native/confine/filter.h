/* Words of system call filters (Documentation/userspace-api/seccomp_filter.rst). */
#ifndef OCI2ISO_FILTER_H
#define OCI2ISO_FILTER_H

#include "confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define NATIVE_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__loongarch64)
#define NATIVE_ARCH AUDIT_ARCH_LOONGARCH64
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW(argument) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[argument]))
#define LOAD_HIGH(argument) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[argument]) + 4)
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define DENY(error) RETURN(SECCOMP_RET_ERRNO | (error))
#define ALLOW RETURN(SECCOMP_RET_ALLOW)
#define SKIP_UNLESS_EQUAL(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count)
#define SKIP_IF_EQUAL(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0)
#define SKIP_UNLESS_ANY(mask, count) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, mask, 0, count)
#define MASK(mask) BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask)

#define MAX_FILTER 320

struct filter {
	struct sock_filter code[MAX_FILTER];
	unsigned short length;
};

static inline void append(struct filter *filter, const struct sock_filter *code, size_t count)
{
	if (filter->length + count > MAX_FILTER) cannot_confine("the system call filter is too long", 0);
	for (size_t i = 0; i < count; i++) filter->code[filter->length++] = code[i];
}

#define APPEND(filter, ...) \
	append(filter, (const struct sock_filter[]){ __VA_ARGS__ }, sizeof((const struct sock_filter[]){ __VA_ARGS__ }) / sizeof(struct sock_filter))

#endif
