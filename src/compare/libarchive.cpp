#include "libarchive.hpp"
#include <cerrno>
#include <new>
#include <utility>

#include "filetree/compare.hpp"

namespace filetree::compare {
namespace {

// Made once; they live as long as the process, as do threads that may use them.
locale_t locale_of(ScopedLocale::Charset charset) {
    if (charset == ScopedLocale::Charset::bytes) {
        static const locale_t bytes = ::newlocale(LC_CTYPE_MASK, "C", nullptr);
        return bytes;
    }
    static const locale_t utf8 = [] {
        for (const char* const name : {"C.UTF-8", "C.utf8", "en_US.UTF-8"}) {
            if (const locale_t found = ::newlocale(LC_CTYPE_MASK, name, nullptr)) return found;
        }
        return locale_t{};
    }();
    return utf8;
}

}  // namespace

ArchiveHandle new_archive() {
    ArchiveHandle handle(archive_read_new());
    if (!handle) throw std::bad_alloc();
    return handle;
}

// Where there is no such locale, uselocale(0) changes nothing.
ScopedLocale::ScopedLocale(Charset charset) : before_(::uselocale(locale_of(charset))) {}
ScopedLocale::~ScopedLocale() { ::uselocale(before_); }

void fail_archive(const Source& source, const std::string& what) {
    throw CompareError(CompareFailure::archive, EBADMSG, source.name(), what);
}

int ArchiveFeed::open(archive* handle) {
    archive_read_set_callback_data(handle, this);
    archive_read_set_read_callback(handle, &read);
    if (seekable_ != nullptr) archive_read_set_seek_callback(handle, &seek);
    return archive_read_open1(handle);
}

void ArchiveFeed::rethrow() {
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

std::span<const char> ArchiveFeed::next() {
    const std::span<const char> bytes = stream_.next();
    delivered_ += bytes.size();
    see(bytes);
    return bytes;
}

la_ssize_t ArchiveFeed::read(archive* /*handle*/, void* self, const void** out) noexcept {
    auto& feed = *static_cast<ArchiveFeed*>(self);
    try {
        const std::span<const char> bytes = feed.next();
        *out = bytes.data();
        return static_cast<la_ssize_t>(bytes.size());
    } catch (...) {
        feed.failure_ = std::current_exception();
        return ARCHIVE_FATAL;
    }
}

la_int64_t ArchiveFeed::seek(archive* /*handle*/, void* self, la_int64_t offset,
                             int whence) noexcept {
    auto& feed = *static_cast<ArchiveFeed*>(self);
    try {
        return feed.seekable_->seek(offset, whence);
    } catch (...) {
        feed.failure_ = std::current_exception();
        return ARCHIVE_FATAL;
    }
}

}  // namespace filetree::compare
