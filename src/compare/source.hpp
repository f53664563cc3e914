#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace filetree::compare {

// Bytes that can be read at any offset, and that must not change meanwhile. Calls throw
// CompareError.
//
// Threads: one at a time, but of a FileSource any number.
class Source {
   public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;

    // What messages call it.
    [[nodiscard]] virtual const std::string& name() const noexcept = 0;
    // Nothing where it is not known, or cannot be trusted.
    [[nodiscard]] virtual std::optional<std::uint64_t> size() const noexcept = 0;
    // Whether it costs little to read at the end, and then elsewhere.
    [[nodiscard]] virtual bool is_seekable() const noexcept { return true; }
    // Fills `out` from `offset` on; fewer bytes only at the end.
    [[nodiscard]] virtual std::size_t read_at(std::uint64_t offset, std::span<char> out) = 0;
    // Throws when it is not what it was when it was opened.
    virtual void check_unchanged() = 0;
};

}  // namespace filetree::compare
