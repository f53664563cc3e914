#include "url_stream.hpp"

#include <cerrno>
#include <utility>

namespace filetree::compare {

CompareError to_compare_error(const HttpError& error, const std::string& name) {
    const CompareFailure failure = error.error() == ENOENT      ? CompareFailure::not_found
                                   : error.error() == ECANCELED ? CompareFailure::cancelled
                                                                : CompareFailure::unreadable;
    return {failure, error.error(), name, error.what()};
}

UrlStream::UrlStream(HttpClient& client, const SourceRef& source, std::optional<HttpRange> range,
                     std::function<void()> on_change)
    : name_(printable_url(source.name)) {
    try {
        stream_ = client.get({source.name, source.http, range}, std::move(on_change));
    } catch (const HttpError& error) {
        throw to_compare_error(error, name_);
    }
}

bool UrlStream::look() {
    try {
        return stream_->look();
    } catch (const HttpError& error) {
        refused_ = error.status() == 429 || error.status() == 503;
        throw to_compare_error(error, name_);
    }
}

void UrlStream::expect(const HttpHead& earlier) const {
    // With a part, the length of the whole may be left open.
    const bool other_length = head()->length && head()->length != earlier.length;
    if (head()->validators != earlier.validators || other_length) {
        throw CompareError(CompareFailure::unreadable, EIO, name_, "changed while it was compared");
    }
}

}  // namespace filetree::compare
