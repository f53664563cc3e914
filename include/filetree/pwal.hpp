#pragma once

// Reading PWAL, the binary form of a report. The layout of the bytes: src/report/pwal_format.hpp.
//
// Threads: a PwalReader is used by one thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "filetree/arrow_abi.hpp"
#include "filetree/report.hpp"

namespace filetree {

// What is in a file is not what its format asks for.
class FormatError : public std::invalid_argument {
   public:
    using std::invalid_argument::invalid_argument;
};

// Records of a PWAL file of either byte order and either time unit, as record batches with the
// columns of export_scan_schema(), or as CSV.
class PwalReader {
   public:
    // Opens the file and reads its header. Throws FormatError when it is no PWAL file, or of a
    // newer version; SystemError when it cannot be read.
    explicit PwalReader(const std::string& path);
    ~PwalReader();
    PwalReader(const PwalReader&) = delete;
    PwalReader& operator=(const PwalReader&) = delete;

    // The next batch, in a struct that the caller must release. False: there are no more.
    // Throws FormatError where there is no record in place of one, after all that came before.
    [[nodiscard]] bool next(ArrowArray& out);
    // Writes what is left to `fd` as CSV, with bounded memory; `wanted` is asked now and then
    // whether to go on. Directories that could not be read have no row. Throws as next() does.
    void write_csv(int fd, const std::string& name, const TextOptions& options,
                   const std::function<bool()>& wanted);

    // Closes the file. Reading on is a SystemError, ECANCELED. Idempotent.
    void close() noexcept;

    // Records so far.
    [[nodiscard]] std::uint64_t records() const noexcept;
    // After the end: whether the file was never closed, or ends in the middle of a record.
    [[nodiscard]] bool torn() const noexcept;
    // When it was begun, in seconds since 1970.
    [[nodiscard]] std::uint64_t timestamp() const noexcept;
    // Times outside what microseconds hold, clamped.
    [[nodiscard]] std::uint64_t clamped_times() const noexcept;

   private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace filetree
