// Whatever is in a PWAL file: reading it ends, in rows or in an error, and both readings of it, as
// batches and as CSV, agree on how many records there are.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "filetree/error.hpp"
#include "filetree/pwal.hpp"

namespace {

// What a reading came to: the records, and whether it ended in an error.
struct Outcome {
    std::uint64_t records = 0;
    bool torn = false;
    bool damaged = false;

    bool operator==(const Outcome&) const = default;
};

Outcome read_batches(const std::string& path) {
    filetree::PwalReader reader(path);
    Outcome outcome;
    try {
        ArrowArray batch;
        while (reader.next(batch)) batch.release(&batch);
    } catch (const filetree::FormatError&) {
        outcome.damaged = true;
    }
    outcome.records = reader.records();
    outcome.torn = reader.torn();
    return outcome;
}

Outcome read_csv(const std::string& path, int null_fd) {
    filetree::PwalReader reader(path);
    Outcome outcome;
    try {
        reader.write_csv(null_fd, "null", {}, [] { return true; });
    } catch (const filetree::FormatError&) {
        outcome.damaged = true;
    }
    outcome.records = reader.records();
    outcome.torn = reader.torn();
    return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const int file = ::memfd_create("pwal", 0);
    static std::FILE* const null = std::fopen("/dev/null", "w");
    static const std::string path = "/proc/self/fd/" + std::to_string(file);
    if (file < 0 || null == nullptr || ::ftruncate(file, 0) != 0 ||
        ::pwrite(file, data, size, 0) != static_cast<ssize_t>(size)) {
        std::abort();
    }
    try {
        if (!(read_batches(path) == read_csv(path, ::fileno(null)))) std::abort();
    } catch (const filetree::FormatError&) {
        return 0;  // no PWAL file
    }
    return 0;
}
