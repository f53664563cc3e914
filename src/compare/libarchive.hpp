#pragma once

// What those who use libarchive share: handles, locales, and callbacks that may throw.

#include <archive.h>
#include <archive_entry.h>
#if __has_include(<xlocale.h>)
#include <xlocale.h>  // locale_t on macOS
#endif

#include <clocale>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include "byte_stream.hpp"
#include "source.hpp"

namespace filetree::compare {

struct FreeArchive {
    void operator()(archive* handle) const noexcept { archive_read_free(handle); }
};
using ArchiveHandle = std::unique_ptr<archive, FreeArchive>;

[[nodiscard]] ArchiveHandle new_archive();

// The charset that libarchive converts names to is that of the locale, which is the thread's own
// while one of these lives.
//
// `bytes` has a charset that nothing but ASCII can be converted to: then libarchive hands over the
// bytes that it has found, with a warning. `utf8` is for formats whose names are UTF-16.
class ScopedLocale {
   public:
    enum class Charset : std::uint8_t { bytes, utf8 };

    explicit ScopedLocale(Charset charset);
    ~ScopedLocale();
    ScopedLocale(const ScopedLocale&) = delete;
    ScopedLocale& operator=(const ScopedLocale&) = delete;

   private:
    locale_t before_;
};

// Throws CompareFailure::archive.
[[noreturn]] void fail_archive(const Source& source, const std::string& what);

// Feeds libarchive from a stream. What the stream throws ends libarchive's call, and must then be
// thrown on by rethrow().
class ArchiveFeed {
   public:
    // `seekable` is null where the format is read in one go.
    ArchiveFeed(ByteStream& stream, SourceStream* seekable)
        : stream_(stream), seekable_(seekable) {}
    virtual ~ArchiveFeed() = default;
    ArchiveFeed(const ArchiveFeed&) = delete;
    ArchiveFeed& operator=(const ArchiveFeed&) = delete;

    // What archive_read_open says.
    [[nodiscard]] int open(archive* handle);
    void rethrow();
    // Bytes handed over.
    [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }
    // The stream's next bytes, by libarchive or by whoever reads on after it.
    [[nodiscard]] std::span<const char> next();

   protected:
    // Sees all that is handed over; may throw.
    virtual void see(std::span<const char> /*bytes*/) {}

   private:
    static la_ssize_t read(archive* handle, void* self, const void** out) noexcept;
    static la_int64_t seek(archive* handle, void* self, la_int64_t offset, int whence) noexcept;

    ByteStream& stream_;
    SourceStream* const seekable_;
    std::uint64_t delivered_ = 0;
    std::exception_ptr failure_;
};

}  // namespace filetree::compare
